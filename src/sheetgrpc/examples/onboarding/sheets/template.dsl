;; A template: what to do for every client business unit in scope. @cbu stands for each of them in turn; @review is
;; bound once per unit. It can be run again: a unit that has the product and the review keeps them.

(cbu.add-product :cbu-id @cbu :product CUSTODY)
(kyc-case.ensure :cbu-id @cbu :name "Custody review" :case-type EVENT_DRIVEN :as @review)
(kyc-case.screen :case-id @review :screening-type SANCTIONS)
