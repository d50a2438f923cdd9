;; One client from first contact to trading: an umbrella fund with two sub-funds, its people and papers, its review, and
;; the accounts it settles over. Everyone and everything here is invented; gleif.dsl has the real records.

;; The client, its fund, and who runs it

(cbu.create :name "Alpenblick Umbrella Fund" :type FUND :jurisdiction "LU" :legal-form "SICAV" :currency "EUR" :as @client)
(entity.create :type fund :name "Alpenblick Umbrella Fund SICAV" :jurisdiction "LU" :cbu-id @client :as @sicav)
(entity.ensure-limited-company :name "Alpenblick Asset Management AG" :jurisdiction "CH" :company-number "CHE-000.000.000"
  :city "Zürich" :as @manager)
(entity.ensure :type legal :name "Alpenblick Trustees" :jurisdiction "LI" :as @trustees)
(entity.ensure-proper-person :first-name "Regula" :last-name "Keller" :date-of-birth "1971-05-04" :nationality "CH"
  :is-pep false :as @keller)
(entity.create-proper-person :first-name "Émile" :last-name "Thill" :nationality "LU" :tax-residency "LU" :as @thill)

(cbu.assign-role :cbu-id @client :entity-id @sicav :role ASSET_OWNER)
(cbu.assign-role :cbu-id @client :entity-id @manager :role MANAGEMENT_COMPANY :effective-date "2026-01-01")
(cbu.assign-role :cbu-id @client :entity-id @thill :role DIRECTOR :target-entity-id @sicav)
(ubo.add-ownership :owner-entity-id @keller :owned-entity-id @manager :ownership-type SHAREHOLDING :percentage 62.5)
(ubo.add-ownership :owner-entity-id @trustees :owned-entity-id @manager :ownership-type SHAREHOLDING :percentage 37.5)

;; The umbrella, its sub-funds, their share classes

(fund.ensure-umbrella :name "Alpenblick Umbrella Fund" :jurisdiction "LU" :entity-id @sicav :cbu-id @client
  :legal-form "SICAV" :regime UCITS :base-currency "EUR" :as @umbrella)
(fund.ensure-sub-fund :umbrella-id @umbrella :name "Alpenblick Bonds" :jurisdiction "LU" :base-currency "EUR" :as @bonds)
(fund.ensure-sub-fund :umbrella-id @umbrella :name "Alpenblick Equities" :jurisdiction "LU" :base-currency "CHF" :as @equities)
(share-class.ensure :fund-id @bonds :isin "LU0000000001" :name "Alpenblick Bonds A EUR" :currency "EUR"
  :distribution DISTRIBUTING :ongoing-charge 0.85 :launch-date "2026-02-02")
(share-class.ensure :fund-id @bonds :isin "LU0000000002" :name "Alpenblick Bonds A CHF hedged" :currency "CHF"
  :distribution DISTRIBUTING :hedged true :ongoing-charge 0.9 :launch-date "2026-02-02")
(share-class.ensure :fund-id @equities :isin "LU0000000003" :name "Alpenblick Equities I CHF" :currency "CHF"
  :distribution ACCUMULATING :ongoing-charge 0.6)
(fund.set-status :fund-id @equities :status PLANNED)

;; Papers and the review

(document.catalog :cbu-id @client :entity-id @sicav :document-type "PROSPECTUS" :issue-date "2025-11-30" :as @prospectus)
(document.catalog :cbu-id @client :entity-id @keller :document-type "PASSPORT" :expiry-date "2031-08-15" :as @passport)
(document.catalog :cbu-id @client :entity-id @thill :document-type "UTILITY_BILL" :title "Water bill" :as @bill)
(document.verify :document-id @prospectus)
(document.verify :document-id @passport)
(document.reject :document-id @bill)

(kyc-case.create :cbu-id @client :case-type NEW_CLIENT :name "Onboarding" :risk-rating MEDIUM :as @case)
(kyc-case.add-subject :case-id @case :entity-id @sicav :role "PRIMARY")
(kyc-case.add-subject :case-id @case :entity-id @keller :role "UBO")
(requirement.create :case-id @case :entity-id @keller :doc-type "PASSPORT" :as @needs-passport)
(requirement.create :case-id @case :entity-id @thill :doc-type "PROOF_OF_ADDRESS" :max-age-days 90)
(requirement.meet :requirement-id @needs-passport :document-id @passport)
(entity-workstream.create :case-id @case :entity-id @keller :discovery-reason "BENEFICIAL_OWNER"
  :ownership-percentage 62.5 :is-ubo true :as @owner-review)
(screening.run :workstream-id @owner-review :screening-type PEP :as @pep)
(screening.complete :screening-id @pep :status CLEAR :result-summary "no match")
(entity-workstream.update-status :workstream-id @owner-review :status COMPLETE)
(kyc-case.screen :case-id @case :screening-type SANCTIONS :as @sanctions)
(screening.complete :screening-id @sanctions :status CLEAR :result-summary "no match")
(kyc-case.update-status :case-id @case :status APPROVED :notes "proof of address to follow")
(kyc-case.expect-approved :case-id @case)
(kyc-case.list-requirements :case-id @case)

;; Custody: what may be traded, where it settles, which account a trade takes

(cbu.add-product :cbu-id @client :product CUSTODY :start-date "2026-02-02")
(cbu-custody.add-universe :cbu-id @client :instrument-class "EQUITY" :market "XSWX" :currencies ["CHF"] :settlement-types ["DVP"])
(cbu-custody.add-universe :cbu-id @client :instrument-class "GOVERNMENT_BOND" :currencies ["EUR" "CHF"] :settlement-types ["DVP" "FOP"])
(cbu-custody.ensure-ssi :cbu-id @client :name "Swiss securities" :type SECURITIES :safekeeping-account "SAFE-CH-001"
  :cash-account "CASH-CH-001" :cash-currency "CHF" :effective-date "2026-02-02" :as @swiss)
(cbu-custody.activate-ssi :ssi-id @swiss)
(cbu-custody.ensure-booking-rule :cbu-id @client :ssi-id @swiss :name "Swiss equities" :priority 10
  :instrument-class "EQUITY" :market "XSWX" :currency "CHF" :settlement-type "DVP")
(cbu-custody.ensure-booking-rule :cbu-id @client :ssi-id @swiss :name "Everything else in francs" :currency "CHF")

;; What there is now

(cbu.read :cbu-id @client)
(cbu.parties :cbu-id @client)
(cbu.products :cbu-id @client)
(ubo.owners :owned-entity-id @manager)
(fund.sub-funds :umbrella-id @umbrella)
(share-class.list :fund-id @bonds)
(document.list :cbu-id @client)
(cbu-custody.list-universe :cbu-id @client)
(cbu-custody.list-ssis :cbu-id @client)
(cbu-custody.list-booking-rules :cbu-id @client)
