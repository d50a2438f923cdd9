;; A sheet with one mistake a statement, to see what the server says: `sheetgrpc check` reports all of them in one pass.

;; The name of the verb is misspelt.
(cbu.asign-role :cbu-id @fund :entity-id @manager :role "MANAGEMENT_COMPANY")

;; This one is right.
(cbu.ensure :name "Alpenblick Balanced Fund" :jurisdiction "LU" :client-type FUND :as @fund)

;; A person needs a first and a last name.
(entity.create :entity-type proper-person :last-name "Keller" :nationality "CH" :as @director)

;; Nothing binds @custodian.
(cbu.assign-role :cbu-id @fund :entity-id @custodian :role "CUSTODIAN")

;; A jurisdiction is an ISO 3166 code.
(entity.ensure-limited-company :name "Alpenblick Asset Management AG" :jurisdiction "Switzerland" :as @manager)

;; The fund is no legal entity but a client business unit.
(cbu.assign-role :cbu-id @fund :entity-id @fund :role "ASSET_OWNER")

;; A case belongs to a client business unit, and this one names none.
(kyc-case.create :case-type NEW_CLIENT)

;; 2024 had a 29th of February, 2023 had none; and a share cannot be 120 percent.
(ubo.add-ownership :owner-entity-id @director :owned-entity-id @manager :ownership-type SHAREHOLDING
  :percentage 120 :effective-date "2023-02-29")

;; Each waits for the other.
(fund.ensure-sub-fund :umbrella-id @inner :name "Alpenblick Outer" :jurisdiction "LU" :as @outer)
(fund.ensure-sub-fund :umbrella-id @outer :name "Alpenblick Inner" :jurisdiction "LU" :as @inner)

;; A link makes no key that could be bound.
(cbu.add-product :cbu-id @fund :product CUSTODY :as @product)

;; An old name: this is a warning only.
(cbu.add-role :cbu-id @fund :entity-id @manager :role "DISTRIBUTOR")

;; The parenthesis is never closed.
(cbu.expect :name "Alpenblick Balanced Fund"
