;; The Allianz group and funds managed by Allianz Global Investors: 174 companies, 51 funds.
;;
;; Names, identifiers, cities, registration numbers, legal forms (ISO 20275 codes) and parents are records of the Global
;; LEI Foundation, published under CC0 (https://www.gleif.org); the funds without an identifier are taken from the
;; manager's public list of funds offered in Germany. Facts of the end of 2025, as an example: not to be relied on.
;;
;; Running it twice changes nothing: everything is found again by its natural key. Statements may stand in any order;
;; the server puts them into phases: companies and client business units, then what ties them together, then what needs
;; that. Ownership has no percentages because GLEIF reports consolidation, not shares.

;; 1. The group: companies that report Allianz SE or Allianz Global Investors GmbH as their direct parent

(entity.ensure-limited-company :name "Allianz SE" :jurisdiction "DE" :lei "529900K9B0N5BT694847"
  :city "München" :registration-number "HRB 164232" :legal-form-code "SGST" :gleif-category GENERAL :gleif-status ACTIVE :as @allianz-se)
(entity.ensure-limited-company :name "Allianz Global Investors GmbH" :jurisdiction "DE" :lei "OJ2TIQSVQND4IZYYK658"
  :city "Frankfurt am Main" :registration-number "HRB 9340" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-gi)

;; Germany
(entity.ensure-limited-company :name "Allianz Esa GmbH" :jurisdiction "DE" :lei "529900BRR7RE7TRK1869"
  :city "Bad Friedrichshall" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-esa)
(entity.ensure-limited-company :name "Deutsche Lebensversicherungs-Aktiengesellschaft" :jurisdiction "DE" :lei "529900YI4HYCORU97L35"
  :city "Berlin" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @deutsche-lebensversicherungs)
(entity.ensure-limited-company :name "Volkswagen Autoversicherung AG" :jurisdiction "DE" :lei "529900MXPCB0TV1TVJ64"
  :city "Braunschweig" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @volkswagen-autoversicherung)
(entity.ensure-limited-company :name "Euler Hermes Aktiengesellschaft" :jurisdiction "DE" :lei "529900WXN7CL3XEECH32"
  :city "Hamburg" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes)
(entity.ensure-limited-company :name "ADEUS Aktienregister-Service-GmbH" :jurisdiction "DE" :lei "391200YYKVSXR85NTU31"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @adeus-aktienregister-service)
(entity.ensure-limited-company :name "AP Solutions GmbH" :jurisdiction "DE" :lei "529900O99GMU3P8U0S07"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @ap-solutions)
(entity.ensure-limited-company :name "AZL AI Nr. 1 GmbH" :jurisdiction "DE" :lei "529900LD38JYGEBBNA70"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @azl-ai-nr-1)
(entity.ensure-limited-company :name "Allianz Agrar AG" :jurisdiction "DE" :lei "5299006N81IPKYWADC44"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-agrar)
(entity.ensure-limited-company :name "Allianz Asset Management GmbH" :jurisdiction "DE" :lei "529900ASFI2IZU3QYD26"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-asset-management)
(entity.ensure-limited-company :name "Allianz Beratungs- und Vertriebs-AG" :jurisdiction "DE" :lei "529900X0YREMYUI5MX73"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-beratungs-und-vertriebs)
(entity.ensure-limited-company :name "Allianz Capital Partners GmbH" :jurisdiction "DE" :lei "529900LP85FZLRHOP912"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-capital-partners)
(entity.ensure-limited-company :name "Allianz Deutschland AG" :jurisdiction "DE" :lei "529900CRHRWZ5DB8BK41"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-deutschland)
(entity.ensure-limited-company :name "Allianz Direct Versicherungs-AG" :jurisdiction "DE" :lei "5299008FXA9QQZ79GM59"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-direct-versicherungs)
(entity.ensure-limited-company :name "Allianz Global Corporate & Specialty SE" :jurisdiction "DE" :lei "F240A7PWJB2BLKELB442"
  :city "München" :legal-form-code "SGST" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-corporate-and-specialty)
(entity.ensure-limited-company :name "Allianz Investment Management SE" :jurisdiction "DE" :lei "529900HLUAHG5YJSGB42"
  :city "München" :legal-form-code "SGST" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-investment-management)
(entity.ensure-limited-company :name "Allianz Pension Service GmbH" :jurisdiction "DE" :lei "529900CN1SHZZ2DGGV10"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pension-service)
(entity.ensure-limited-company :name "Allianz Private Krankenversicherungs-Aktiengesellschaft" :jurisdiction "DE" :lei "529900APQGQWPAT1YI78"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-private-krankenversicherungs)
(entity.ensure-limited-company :name "Allianz Technology SE" :jurisdiction "DE" :lei "529900D4X8B3UWGFCX06"
  :city "München" :legal-form-code "SGST" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-technology)
(entity.ensure-limited-company :name "Allianz Versicherungs-Aktiengesellschaft" :jurisdiction "DE" :lei "529900X5FHSYN4P5R285"
  :city "München" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-versicherungs)
(entity.ensure-limited-company :name "Allianz of Asia-Pacific and Africa GmbH" :jurisdiction "DE" :lei "5299002P6NBPK3SMF889"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-of-asia-pacific-and-africa)
(entity.ensure-limited-company :name "Allvest GmbH" :jurisdiction "DE" :lei "391200YC6MPAB9UCR633"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allvest)
(entity.ensure-limited-company :name "IDS GmbH - Analysis and Reporting Services" :jurisdiction "DE" :lei "529900PQUHKZJAAWX304"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @ids-gmbh-analysis-and-reporting-services)
(entity.ensure-limited-company :name "Kaiser X Labs GmbH" :jurisdiction "DE" :lei "5299006E3R01U1Q5ZP27"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @kaiser-x-labs)
(entity.ensure-limited-company :name "PIMCO Prime Real Estate GmbH" :jurisdiction "DE" :lei "5299009IY3NJ46YAAC63"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @pimco-prime-real-estate)
(entity.ensure-limited-company :name "Solvd GmbH" :jurisdiction "DE" :lei "391200ONQC54ULSH6F19"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-391200onqc54ulsh6f19)
(entity.ensure-limited-company :name "Vivy GmbH" :jurisdiction "DE" :lei "5299005953HTHIFLB921"
  :city "München" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-5299005953hthiflb921)
(entity.ensure-limited-company :name "Euler Hermes Collections GmbH" :jurisdiction "DE" :lei "529900JARUYIRDXT3J21"
  :city "Potsdam" :legal-form-code "2HBR" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-collections)
(entity.ensure-limited-company :name "Allianz Lebensversicherungs-Aktiengesellschaft" :jurisdiction "DE" :lei "529900Z5H1N62JMB3K96"
  :city "Stuttgart" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-lebensversicherungs)
(entity.ensure-limited-company :name "Allianz Pensionsfonds Aktiengesellschaft" :jurisdiction "DE" :lei "529900QIECQ5ML8O8P18"
  :city "Stuttgart" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pensionsfonds)
(entity.ensure-limited-company :name "Allianz Pensionskasse Aktiengesellschaft" :jurisdiction "DE" :lei "529900J2RGEB3V10PJ36"
  :city "Stuttgart" :legal-form-code "6QQB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pensionskasse)

;; United Kingdom
(entity.ensure-limited-company :name "INNOVATION GROUP HOLDINGS LIMITED" :jurisdiction "GB" :lei "213800SL2ATL3XQX1Y90"
  :city "FAREHAM" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @innovation-group-holdings)
(entity.ensure-limited-company :name "ALLIANZ ENGINEERING INSPECTION SERVICES LIMITED" :jurisdiction "GB" :lei "213800GEVVCUAFNVET58"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-engineering-inspection-services)
(entity.ensure-limited-company :name "ALLIANZ EQUITY INVESTMENTS LIMITED" :jurisdiction "GB" :lei "213800L7M9UC5STANH88"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-equity-investments)
(entity.ensure-limited-company :name "ALLIANZ INSURANCE PLC" :jurisdiction "GB" :lei "213800QXY6G66CQVB770"
  :city "GUILDFORD" :legal-form-code "B6ES" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-insurance)
(entity.ensure-limited-company :name "ALLIANZ PROPERTIES LIMITED" :jurisdiction "GB" :lei "213800UKLJ4OWNE65Y83"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-properties)
(entity.ensure-limited-company :name "BUDDIES ENTERPRISES LIMITED" :jurisdiction "GB" :lei "213800IYLUUCV9A4KM18"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @buddies-enterprises)
(entity.ensure-limited-company :name "HIGHWAY INSURANCE GROUP LIMITED" :jurisdiction "GB" :lei "213800LPY1CUSQCBNC84"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @highway-insurance-group)
(entity.ensure-limited-company :name "LIVERPOOL VICTORIA GENERAL INSURANCE GROUP LIMITED" :jurisdiction "GB" :lei "213800LCZNQNMVLS8T93"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @liverpool-victoria-general-insurance-group)
(entity.ensure-limited-company :name "LV REPAIR SERVICES LIMITED" :jurisdiction "GB" :lei "213800XRI2UO3DTMCP62"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lv-repair-services)
(entity.ensure-limited-company :name "PET PLAN LIMITED" :jurisdiction "GB" :lei "213800RCUHURMG5EFJ51"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @pet-plan)
(entity.ensure-limited-company :name "PETIOS LIMITED" :jurisdiction "GB" :lei "21380092XCNGK4CL2M64"
  :city "GUILDFORD" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @petios)
(entity.ensure-limited-company :name "ALLIANZ (UK) LIMITED" :jurisdiction "GB" :lei "213800UHGR8BPHS6RQ67"
  :city "LONDON" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-uk)
(entity.ensure-limited-company :name "ALLIANZ HOLDINGS PLC" :jurisdiction "GB" :lei "21380039ET3UD11RBS65"
  :city "LONDON" :legal-form-code "B6ES" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-holdings)
(entity.ensure-limited-company :name "ALLIANZ MANAGEMENT SERVICES LIMITED" :jurisdiction "GB" :lei "213800RNA78IJUC16I17"
  :city "LONDON" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-management-services)
(entity.ensure-limited-company :name "ALLIANZ PENSION FUND TRUSTEES LIMITED" :jurisdiction "GB" :lei "213800MMPMNKCVTR4375"
  :city "LONDON" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pension-fund-trustees)
(entity.ensure-limited-company :name "ALLIANZ UK DISTRIBUTION LIMITED" :jurisdiction "GB" :lei "213800ZXNHYS9YGMS961"
  :city "LONDON" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-uk-distribution)
(entity.ensure-limited-company :name "ALLIANZ EUROPE LIMITED" :jurisdiction "GB" :lei "529900EO37QGS7QP0F54"
  :city "London" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-europe)
(entity.ensure-limited-company :name "ALLIANZ GLOBAL INVESTORS UK LIMITED" :jurisdiction "GB" :lei "5299002MF5D6UOVE1355"
  :city "London" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-investors-uk)
(entity.ensure-limited-company :name "EULER HERMES SERVICES UK LIMITED" :jurisdiction "GB" :lei "529900YFJCLKSS39VM62"
  :city "London" :legal-form-code "H0PO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-services-uk)

;; Luxembourg
(entity.ensure-limited-company :name "AZ Euro Investments II S.à r.l." :jurisdiction "LU" :lei "529900ZSP3T30HEG1I96"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @az-euro-investments-ii)
(entity.ensure-limited-company :name "Allianz France Real Estate S.à r.l." :jurisdiction "LU" :lei "529900DW0KEF97HQ9T30"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-france-real-estate)
(entity.ensure-limited-company :name "Allianz Fund Investments S.A." :jurisdiction "LU" :lei "529900LSHMN704CFI287"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-fund-investments)
(entity.ensure-limited-company :name "Allianz Real Estate Investment S.A." :jurisdiction "LU" :lei "529900X3NQY79FO4O250"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-real-estate-investment)
(entity.ensure-limited-company :name "Allianz Residential Mortgage Company S.A." :jurisdiction "LU" :lei "5299005VQRXW26BI8T24"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-residential-mortgage-company)
(entity.ensure-limited-company :name "Allianz Société Financière S.à.r.l." :jurisdiction "LU" :lei "529900ETBIZPTHG66X03"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-societe-financiere)
(entity.ensure-limited-company :name "Allianz Strategic Investments S.a r.l" :jurisdiction "LU" :lei "529900B1YQQQ0BH7UQ67"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-strategic-investments)
(entity.ensure-limited-company :name "Allianz X Euler Hermes Co-Investments S.à r.l." :jurisdiction "LU" :lei "529900JBIGHR5KOZ9N29"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-x-euler-hermes-co-investments)
(entity.ensure-limited-company :name "Valderrama S.A." :jurisdiction "LU" :lei "529900JMGN7Y9S1A5023"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @valderrama)
(entity.ensure-limited-company :name "Vanilla Capital Markets S.A." :jurisdiction "LU" :lei "529900MGWMHZWMQYZW11"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @vanilla-capital-markets)
(entity.ensure-limited-company :name "Viridium Group Sarl" :jurisdiction "LU" :lei "529900KV8TZ3U89I6O72"
  :city "Luxembourg" :legal-form-code "DVXS" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @viridium-group)
(entity.ensure-limited-company :name "YAO NEWREP Investments S.A." :jurisdiction "LU" :lei "529900AE1WSQ5GZXBF12"
  :city "Luxembourg" :legal-form-code "5GGB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @yao-newrep-investments)

;; United States
(entity.ensure-limited-company :name "EULER HERMES NORTH AMERICA INSURANCE COMPANY" :jurisdiction "US-MD" :lei "529900MZO2VQ5616L328"
  :city "BALTIMORE" :legal-form-code "HLR4" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-north-america-insurance)
(entity.ensure-limited-company :name "ALLIANZ GLOBAL RISKS US INSURANCE COMPANY" :jurisdiction "US" :lei "61CF7K34JWL1YFRK5K35"
  :city "CHICAGO" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-risks-us-insurance)
(entity.ensure-limited-company :name "FIREMAN'S FUND INSURANCE COMPANY" :jurisdiction "US" :lei "0JJ27TIZIU2LZJ1JYM80"
  :city "CHICAGO" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @fireman-s-fund-insurance)
(entity.ensure-limited-company :name "ALLIANZ CAPITAL PARTNERS OF AMERICA LLC" :jurisdiction "US-DE" :lei "5493005JTEV4OVDVNH32"
  :city "DOVER" :registration-number "3600054" :legal-form-code "HZEH" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "OJ2TIQSVQND4IZYYK658" :as @allianz-capital-partners-of-america)
(entity.ensure-limited-company :name "PIMCO GLOBAL ADVISORS LLC" :jurisdiction "US-DE" :lei "254900PKUZU0PVS5TA11"
  :city "DOVER" :legal-form-code "HZEH" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @pimco-global-advisors)
(entity.ensure-limited-company :name "ALLIANZ LIFE INSURANCE COMPANY OF NORTH AMERICA" :jurisdiction "US" :lei "DKBD555YIJCQ30PMHF22"
  :city "MINNEAPOLIS" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-life-insurance-company-of-north-america)
(entity.ensure-limited-company :name "ALLIANZ RISK TRANSFER, INC." :jurisdiction "US-NY" :lei "549300SC8ZD5MU1TC314"
  :city "NEW YORK" :legal-form-code "PJ10" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-risk-transfer)
(entity.ensure-limited-company :name "Allianz Global Corporate & Specialty of Bermuda Ltd" :jurisdiction "US-NY" :lei "549300CE8K2G6TNANR36"
  :city "New York" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-corporate-and-specialty-of-bermud)
(entity.ensure-limited-company :name "ALLIANZ FINANCE CORPORATION" :jurisdiction "US-DE" :lei "549300LX561OW737I485"
  :city "WILMINGTON" :legal-form-code "XTIQ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-finance-corporation)
(entity.ensure-limited-company :name "Euler Hermes North America Holding, Inc." :jurisdiction "US-DE" :lei "529900SPZKHUR0S2Z985"
  :city "WILMINGTON" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-north-america-holding)

;; France
(entity.ensure-limited-company :name "ALLIANZ AFRICA" :jurisdiction "FR" :lei "9695009HV2986MDEQ760"
  :city "PARIS" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-africa)
(entity.ensure-limited-company :name "Euler Hermes Asset Management France" :jurisdiction "FR" :lei "5299004OAO2LCDHTJ514"
  :city "PARIS LA DEFENSE Cedex" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-asset-management-france)
(entity.ensure-limited-company :name "ALLIANZ HOLDING FRANCE" :jurisdiction "FR" :lei "969500CUK3OMCMPMWR55"
  :city "PUTEAUX" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-holding-france)
(entity.ensure-limited-company :name "EULER HERMES GROUP" :jurisdiction "FR" :lei "529900AJFTU1CPN1X176"
  :city "Paris-La-Défense Cédex" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-group)
(entity.ensure-limited-company :name "Euler Hermes Services SAS" :jurisdiction "FR" :lei "5299007V9H7DDUANPV51"
  :city "Paris-La-Défense Cédex" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-services-sas)
(entity.ensure-limited-company :name "ALLIANZ PARTNERS SAS" :jurisdiction "FR" :lei "969500GNHCXXTP2EL222"
  :city "SAINT-OUEN-SUR-SEINE" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-partners-sas)
(entity.ensure-limited-company :name "SOCIETE EUROPEENNE DE PROTECTION ET DE SERVICES D'ASSISTANCE A DOMICILE EN ABREGE \"SEPSAD\"" :jurisdiction "FR" :lei "969500RUNU9G6Y9X4V29"
  :city "SAINT-OUEN-SUR-SEINE" :legal-form-code "K65D" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @societe-europeenne-de-protection-et-de-services)
(entity.ensure-limited-company :name "AWP REUNION SAS" :jurisdiction "FR" :lei "969500ERN5OPXVJQ4G17"
  :city "SAINTE-MARIE" :legal-form-code "K65D" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @awp-reunion-sas)
(entity.ensure-limited-company :name "Allianz Technology SAS" :jurisdiction "FR" :lei "5299007NQRNTW1EYYN89"
  :city "Saint-Ouen" :legal-form-code "6CHY" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-technology-sas)

;; Netherlands
(entity.ensure-limited-company :name "EULER HERMES Services B.V." :jurisdiction "NL" :lei "69940092VYAJAVEVC598"
  :city "'s-Hertogenbosch" :legal-form-code "54M6" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-services)
(entity.ensure-limited-company :name "Allianz Europe B.V." :jurisdiction "NL" :lei "529900PVKWU48UKGOC87"
  :city "Amsterdam" :legal-form-code "54M6" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-europe-2)
(entity.ensure-limited-company :name "Allianz Finance II B.V." :jurisdiction "NL" :lei "529900C9NVPTCPDI1D65"
  :city "Amsterdam" :legal-form-code "54M6" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-finance-ii)
(entity.ensure-limited-company :name "Allianz Finance III B.V." :jurisdiction "NL" :lei "5299000TG8YATYNK8P87"
  :city "Amsterdam" :legal-form-code "54M6" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-finance-iii)
(entity.ensure-limited-company :name "Arges Investments I N.V." :jurisdiction "NL" :lei "529900NREB0L9FEPXM52"
  :city "Amsterdam" :legal-form-code "B5PM" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @arges-investments-i)
(entity.ensure-limited-company :name "Arges Investments II N.V." :jurisdiction "NL" :lei "529900JFZNCO71G4UB59"
  :city "Amsterdam" :legal-form-code "B5PM" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @arges-investments-ii)
(entity.ensure-limited-company :name "Societe Fonciere Europeenne B.V." :jurisdiction "NL" :lei "529900QJBZ9AUO5VSC58"
  :city "Amsterdam" :legal-form-code "54M6" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @societe-fonciere-europeenne)
(entity.ensure-limited-company :name "Allianz Nederland Groep N.V." :jurisdiction "NL" :lei "724500P01O2EB9B45325"
  :city "Rotterdam" :legal-form-code "B5PM" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-nederland-groep)

;; Austria
(entity.ensure-limited-company :name "Allianz Elementar Lebensversicherungs-Aktiengesellschaft" :jurisdiction "AT" :lei "5299003F8XGRHET9H154"
  :city "Wien" :legal-form-code "EQOV" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-elementar-lebensversicherungs)
(entity.ensure-limited-company :name "Allianz Elementar Versicherungs-Aktiengesellschaft" :jurisdiction "AT" :lei "529900ETI7480XT9MU29"
  :city "Wien" :legal-form-code "EQOV" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-elementar-versicherungs)
(entity.ensure-limited-company :name "Allianz Holding eins GmbH" :jurisdiction "AT" :lei "9845000E0478C3CA6574"
  :city "Wien" :legal-form-code "AXSB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-holding-eins)
(entity.ensure-limited-company :name "Allianz Invest Kapitalanlagegesellschaft mbH" :jurisdiction "AT" :lei "529900Y5ZGJRS7GG0D68"
  :city "Wien" :legal-form-code "AXSB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-invest-kapitalanlagegesellschaft-mbh)
(entity.ensure-limited-company :name "Allianz Pensionskasse Aktiengesellschaft" :jurisdiction "AT" :lei "529900R7CSE082VKF992"
  :city "Wien" :legal-form-code "EQOV" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pensionskasse-2)
(entity.ensure-limited-company :name "Allianz Vorsorgekasse AG" :jurisdiction "AT" :lei "5299007024XT1N1WQ539"
  :city "Wien" :legal-form-code "EQOV" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-vorsorgekasse)
(entity.ensure-limited-company :name "Top VS GmbH" :jurisdiction "AT" :lei "5299001N8J3IUQ4E9110"
  :city "Wien" :legal-form-code "AXSB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @top-vs)

;; Poland
(entity.ensure-limited-company :name "WINDPOWER UJŚCIE SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ" :jurisdiction "PL" :lei "529900KXI69UKUZVZ369"
  :city "POZNAŃ" :legal-form-code "O7XB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @windpower-ujscie)
(entity.ensure-limited-company :name "ALLIANZ SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ" :jurisdiction "PL" :lei "2138003C8U4NUDKTGR85"
  :city "WARSZAWA" :legal-form-code "O7XB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz)
(entity.ensure-limited-company :name "EULER HERMES COLLECTIONS SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ" :jurisdiction "PL" :lei "259400AEKREN0R9K8253"
  :city "WARSZAWA" :legal-form-code "O7XB" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-collections-2)
(entity.ensure-limited-company :name "POWSZECHNE TOWARZYSTWO EMERYTALNE ALLIANZ POLSKA SPÓŁKA AKCYJNA" :jurisdiction "PL" :lei "259400GYKYKIQO2AY336"
  :city "WARSZAWA" :legal-form-code "FJ0E" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @powszechne-towarzystwo-emerytalne-allianz-polska)
(entity.ensure-limited-company :name "TOWARZYSTWO UBEZPIECZEŃ ALLIANZ ŻYCIE POLSKA SPÓŁKA AKCYJNA" :jurisdiction "PL" :lei "259400IBCICD0KY7ZW46"
  :city "WARSZAWA" :legal-form-code "FJ0E" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @towarzystwo-ubezpieczen-allianz-zycie-polska)
(entity.ensure-limited-company :name "TOWARZYSTWO UBEZPIECZEŃ EULER HERMES SPÓŁKA AKCYJNA" :jurisdiction "PL" :lei "259400UNFL1GUH63DE55"
  :city "WARSZAWA" :legal-form-code "FJ0E" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @towarzystwo-ubezpieczen-euler-hermes)
(entity.ensure-limited-company :name "TOWARZYSTWO UBEZPIECZEŃ I REASEKURACJI ALLIANZ POLSKA SPÓŁKA AKCYJNA" :jurisdiction "PL" :lei "259400MDL4OD6BLVIB72"
  :city "WARSZAWA" :legal-form-code "FJ0E" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @towarzystwo-ubezpieczen-i-reasekuracji-allianz-p)

;; Thailand
(entity.ensure-limited-company :name "บริษัท ซีพีอาร์เอ็น (ประเทศไทย) จำกัด" :jurisdiction "TH" :lei "529900ZYV65DZCT32I95"
  :city "Bangkok" :legal-form-code "K09K" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900zyv65dzct32i95)
(entity.ensure-limited-company :name "บริษัท บีเอสเอ็มซี (ประเทศไทย) จำกัด" :jurisdiction "TH" :lei "52990011DMJPYEB0FD90"
  :city "Bangkok" :legal-form-code "K09K" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-52990011dmjpyeb0fd90)
(entity.ensure-limited-company :name "บริษัท อลิอันซ์ อยุธยา ประกันชีวิต จำกัด (มหาชน)" :jurisdiction "TH" :lei "5299000VHRS2VTQSYM59"
  :city "Bangkok" :legal-form-code "O0OZ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-5299000vhrs2vtqsym59)
(entity.ensure-limited-company :name "บริษัท เจซีอาร์ อินเตอร์เทรด จำกัด" :jurisdiction "TH" :lei "529900SN82Y8A2342J57"
  :city "Bangkok" :legal-form-code "K09K" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900sn82y8a2342j57)
(entity.ensure-limited-company :name "บริษัท เอสโอเอฟอี วัน จำกัด" :jurisdiction "TH" :lei "529900WE7CXW12UBMV28"
  :city "Bangkok" :legal-form-code "K09K" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900we7cxw12ubmv28)
(entity.ensure-limited-company :name "ริษัท อลิอันซ์ อยุธยา ประกันภัย จำกัด (มหาชน)" :jurisdiction "TH" :lei "5299000V0BZSEOT5SV34"
  :city "Bangkok" :legal-form-code "O0OZ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-5299000v0bzseot5sv34)
(entity.ensure-limited-company :name "บริษัท เอสโอเอฟอี ทู จำกัด" :jurisdiction "TH" :lei "52990023XOWCXJK03D45"
  :city "PATHUM WAN, BANGKOK" :legal-form-code "K09K" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-52990023xowcxjk03d45)

;; Belgium
(entity.ensure-limited-company :name "ALLIANZ BENELUX" :jurisdiction "BE" :lei "529900EU2PIG4IH6RF36"
  :city "Brussel" :legal-form-code "R85P" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-benelux)
(entity.ensure-limited-company :name "EULER HERMES" :jurisdiction "BE" :lei "52990053AH5LF0YZWD07"
  :city "Brussel" :legal-form-code "R85P" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-2)
(entity.ensure-limited-company :name "Euler Hermes Patrimonia" :jurisdiction "BE" :lei "5299001Z6DYJG67B4298"
  :city "Brussel" :legal-form-code "R85P" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-patrimonia)
(entity.ensure-limited-company :name "Euler Hermes Services Belgium" :jurisdiction "BE" :lei "699400SZYEEQW3Q9OZ64"
  :city "Brussel" :legal-form-code "R85P" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-services-belgium)

;; Bulgaria
(entity.ensure-limited-company :name "АЛИАНЦ БЪЛГАРИЯ ХОЛДИНГ" :jurisdiction "BG" :lei "529900NJYUGRO908KV84"
  :city "Sofia" :legal-form-code "WTK4" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900njyugro908kv84)
(entity.ensure-limited-company :name "ЗАД \"АЛИАНЦ БЪЛГАРИЯ\"" :jurisdiction "BG" :lei "529900BNGN523NOYWP15"
  :city "Sofia" :legal-form-code "WTK4" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900bngn523noywp15)
(entity.ensure-limited-company :name "ЗАСТРАХОВАТЕЛНО АКЦИОНЕРНО ДРУЖЕСТВО \"ЕНЕРГИЯ\"" :jurisdiction "BG" :lei "529900AY9GPDH3OQF009"
  :city "Sofia" :legal-form-code "WTK4" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900ay9gpdh3oqf009)
(entity.ensure-limited-company :name "ПЕНСИОННО ОСИГУРИТЕЛНО ДРУЖЕСТВО АЛИАНЦ БЪЛГАРИЯ" :jurisdiction "BG" :lei "529900B6DRCZ3ROAQW27"
  :city "Sofia" :legal-form-code "WTK4" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900b6drcz3roaqw27)

;; Switzerland
(entity.ensure-limited-company :name "Allianz Suisse Lebensversicherungs-Gesellschaft AG" :jurisdiction "CH" :lei "529900J9ZH2YN87MPE59"
  :city "Wallisellen" :legal-form-code "MVII" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-suisse-lebensversicherungs-gesellschaft)
(entity.ensure-limited-company :name "Allianz Suisse Versicherungs-Gesellschaft AG" :jurisdiction "CH" :lei "529900HTG21VUCKUSU16"
  :city "Wallisellen" :legal-form-code "MVII" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-suisse-versicherungs-gesellschaft)
(entity.ensure-limited-company :name "CAP, Rechtsschutz-Versicherungsgesellschaft AG" :jurisdiction "CH" :lei "529900JCO0G42Q4RXW52"
  :city "Wallisellen" :legal-form-code "MVII" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @cap-rechtsschutz-versicherungsgesellschaft)
(entity.ensure-limited-company :name "Euler Hermes Reinsurance AG" :jurisdiction "CH" :lei "5299006NV9SQA4XFTB22"
  :city "Wallisellen" :legal-form-code "MVII" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-reinsurance)

;; Italy
(entity.ensure-limited-company :name "ALLIANZ NEXT S.P.A." :jurisdiction "IT" :lei "815600A7E126B8274502"
  :city "MILANO" :legal-form-code "X32V" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-next-s-p-a)
(entity.ensure-limited-company :name "ALLIANZ SOCIETA' PER AZIONI IN FORMA ABBREVIATA \"ALLIANZ S.P.A.\"" :jurisdiction "IT" :lei "529900UGESEV6GHUN018"
  :city "MILANO" :legal-form-code "P418" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-societa-per-azioni-in-forma-abbreviata-a)
(entity.ensure-limited-company :name "UNICREDIT VITA ASSICURAZIONI S.P.A." :jurisdiction "IT" :lei "529900W51ZNEU53S1P78"
  :city "MILANO" :legal-form-code "P418" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @unicredit-vita-assicurazioni-s-p-a)
(entity.ensure-limited-company :name "INVESTITORI SOCIETA' DI GESTIONE DEL RISPARMIO S.P.A." :jurisdiction "IT" :lei "529900BUVMOECVUTQO64"
  :city "Milano" :legal-form-code "X32V" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @investitori-societa-di-gestione-del-risparmio-s)

;; Elsewhere
(entity.ensure-limited-company :name "EULER HERMES AUSTRALIA PTY LIMITED" :jurisdiction "AU" :lei "2549008IFT5K1LFPWX32"
  :city "Sydney" :legal-form-code "TXVC" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-australia-pty)
(entity.ensure-limited-company :name "CIC ALLIANZ INSURANCE LIMITED" :jurisdiction "AU" :lei "549300GJ8MPHZKLG9N18"
  :city "Sydney" :legal-form-code "R4KK" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @cic-allianz-insurance)
(entity.ensure-limited-company :name "ALLIANZ AUSTRALIA LIFE INSURANCE LIMITED" :jurisdiction "AU" :lei "PGRZ8FTXX81EOGOTJZ28"
  :city "Sydney" :legal-form-code "R4KK" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-australia-life-insurance)
(entity.ensure-limited-company :name "ALLIANZ MENA HOLDING (BERMUDA) LIMITED" :jurisdiction "BM" :lei "549300PO5O1Z7LWWZF63"
  :city "Hamilton" :legal-form-code "7AS7" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-mena-holding-bermuda)
(entity.ensure-limited-company :name "EULER HERMES SERVIÇOS DE GESTÃO DE RISCOS LTDA." :jurisdiction "BR" :lei "213800TZITJMQX3AMU18"
  :city "SÃO PAULO" :legal-form-code "QHW1" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-servicos-de-gestao-de-riscos-ltda)
(entity.ensure-limited-company :name "ALLIANZ GLOBAL CORPORATE & SPECIALTY DO BRASIL PARTICIPACOES LTDA." :jurisdiction "BR" :lei "529900CI1I7BOU4EZ770"
  :city "São Paulo" :legal-form-code "QHW1" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-corporate-and-specialty-do-brasil)
(entity.ensure-limited-company :name "安联（中国）保险控股有限公司" :jurisdiction "CN" :lei "836800F5011731000058"
  :city "浦东新区" :legal-form-code "ECAK" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-836800f5011731000058)
(entity.ensure-limited-company :name "Allianz penzijní společnost, a.s." :jurisdiction "CZ" :lei "529900UM73NGF8E4YY91"
  :city "Praha 8" :legal-form-code "6CQN" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-penzijni-spolecnost)
(entity.ensure-limited-company :name "Allianz pojišťovna, a.s." :jurisdiction "CZ" :lei "5299007KUKZ04LK29K58"
  :city "Praha 8" :legal-form-code "6CQN" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-pojistovna)
(entity.ensure-limited-company :name "ALLIANZ TECHNOLOGY S.L." :jurisdiction "ES" :lei "529900VGY0TXJIYVBT39"
  :city "Barcelona" :legal-form-code "JB2M" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-technology-s-l)
(entity.ensure-limited-company :name "ALLIANZ COMPAÑIA DE SEGUROS Y REASEGUROS SA" :jurisdiction "ES" :lei "529900E0961XXFO5Z292"
  :city "Madrid" :legal-form-code "5RDO" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-compania-de-seguros-y-reaseguros)
(entity.ensure-limited-company :name "Allianz European Reliance Single Member Insurance S.A." :jurisdiction "GR" :lei "529900SUMKB7MEIJWP03"
  :city "Athens" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-european-reliance-single-member-insuranc)
(entity.ensure-limited-company :name "Allianz Global Investors Asia Pacific Limited" :jurisdiction "HK" :lei "549300J4ASJ4UGJ5R887"
  :city "Hong Kong" :legal-form-code "254M" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-investors-asia-pacific)
(entity.ensure-limited-company :name "Euler Hermes Hong Kong Services Limited" :jurisdiction "HK" :lei "529900O1ST5IYTI97S88"
  :city "Taikoo Shing" :legal-form-code "254M" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-hong-kong-services)
(entity.ensure-limited-company :name "Allianz Hrvatska dioničko društvo za osiguranje" :jurisdiction "HR" :lei "5493006D8G55YM441622"
  :city "Zagreb" :legal-form-code "LUMA" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-hrvatska-dionicko-drustvo-za-osiguranje)
(entity.ensure-limited-company :name "Allianz Alapkezelő Zrt." :jurisdiction "HU" :lei "5299000EII0XC5VJIO94"
  :city "Budapest" :legal-form-code "BKUX" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-alapkezelo-zrt)
(entity.ensure-limited-company :name "Allianz Hungária Biztosító Zártkörűen Működő Részvénytársaság" :jurisdiction "HU" :lei "529900IJSHSLTES6PQ72"
  :city "Budapest" :legal-form-code "BKUX" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-hungaria-biztosito-zartkoruen-mukodo-res)
(entity.ensure-limited-company :name "ALLIANZ RE DUBLIN DESIGNATED ACTIVITY COMPANY" :jurisdiction "IE" :lei "529900KDXMUUS7EMLJ38"
  :city "DUBLIN 4" :legal-form-code "LGWG" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-re-dublin-designated-activity)
(entity.ensure-limited-company :name "ALLIANZ GLOBAL LIFE DESIGNATED ACTIVITY COMPANY" :jurisdiction "IE" :lei "529900ZJCA8LOT6XX119"
  :city "Dublin" :legal-form-code "LGWG" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-global-life-designated-activity)
(entity.ensure-limited-company :name "DARTA SAVING LIFE ASSURANCE DESIGNATED ACTIVITY COMPANY" :jurisdiction "IE" :lei "WUYDW18YG7QXGWBK3804"
  :city "DUBLIN" :legal-form-code "LGWG" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @darta-saving-life-assurance-designated-activity)
(entity.ensure-limited-company :name "ALLIANZ SERVICES PRIVATE LIMITED" :jurisdiction "IN" :lei "33580069FYH9OR7Z3B11"
  :city "TRIVANDRUM" :legal-form-code "YSP9" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-services-private)
(entity.ensure-limited-company :name "AWP Assistance (India) Private Limited" :jurisdiction "IN" :lei "529900FYNJQQ48K35E40"
  :city "Gurgaon" :legal-form-code "YSP9" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @awp-assistance-india-private)
(entity.ensure-limited-company :name "アリアンツ・グローバル・インベスターズ・ジャパン株式会社" :jurisdiction "JP" :lei "353800NVWWGOB9JXQZ47"
  :city "東京都 港区" :registration-number "0104-01-053740" :legal-form-code "T417" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "OJ2TIQSVQND4IZYYK658" :as @lei-353800nvwwgob9jxqz47)
(entity.ensure-limited-company :name "ALLIANZ LIFE INSURANCE JAPAN LTD." :jurisdiction "JP" :lei "549300HRIYJIWUR34Y94"
  :city "MINATO KU" :legal-form-code "T417" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-life-insurance-japan)
(entity.ensure-limited-company :name "율러허미스한국손해보험중개 주식회사" :jurisdiction "KR" :lei "529900MI7QZ401XSM482"
  :city "Jung-gu" :legal-form-code "J3U5" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-529900mi7qz401xsm482)
(entity.ensure-limited-company :name "ALLIANZ RISK TRANSFER AG" :jurisdiction "LI" :lei "5493005WW64PFITU7G71"
  :city "SCHAAN" :legal-form-code "7RRP" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-risk-transfer-2)
(entity.ensure-limited-company :name "ALLIANZ LIFE INSURANCE LANKA LIMITED" :jurisdiction "LK" :lei "549300PW0UOTOKNSVO97"
  :city "COLOMBO" :legal-form-code "9999" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-life-insurance-lanka)
(entity.ensure-limited-company :name "Jubilee Allianz General Insurance (Mauritius) Limited" :jurisdiction "MU" :lei "529900C3W9DEEWUS8S66"
  :city "Port Louis" :legal-form-code "8888" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @jubilee-allianz-general-insurance-mauritius)
(entity.ensure-limited-company :name "ALLIANZ MEXICO SA COMPAÑIA DE SEGUROS" :jurisdiction "MX" :lei "549300I24TYYGCT38U98"
  :city "Mexico City" :legal-form-code "B8CE" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-mexico-sa-compania-de-seguros)
(entity.ensure-limited-company :name "Allianz Nigeria Insurance PLC" :jurisdiction "NG" :lei "529900RS2GZ9RI7H5G67"
  :city "Lagos" :legal-form-code "9999" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-nigeria-insurance)
(entity.ensure-limited-company :name "MORNINGCHAPTER, S.A." :jurisdiction "PT" :lei "213800O8CFYJSAOHZA57"
  :city "OURIQUE" :legal-form-code "DFE5" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @morningchapter)
(entity.ensure-limited-company :name "Allianz - Sociedade Gestora de Fundos de Pensões, S.A." :jurisdiction "PT" :lei "5299000X6LJCR7K03Z61"
  :city "Lisboa" :legal-form-code "DFE5" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-sociedade-gestora-de-fundos-de-pensoes)
(entity.ensure-limited-company :name "COMPANHIA DE SEGUROS ALLIANZ PORTUGAL, S.A." :jurisdiction "PT" :lei "529900LP62SEK9MXDB79"
  :city "Lisboa" :legal-form-code "DFE5" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @companhia-de-seguros-allianz-portugal)
(entity.ensure-limited-company :name "Asit Services SRL" :jurisdiction "RO" :lei "529900LMAQU5W26D1610"
  :city "Bucuresti" :legal-form-code "XHN1" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @asit-services)
(entity.ensure-limited-company :name "ALLIANZ-TIRIAC PENSII PRIVATE SOCIETATE DE ADMINISTRARE A FONDURILOR DE PENSII PRIVATE SA" :jurisdiction "RO" :lei "213800EMXABRC8G7O674"
  :city "BUCUREȘTI, SECTORUL 1" :legal-form-code "ANDT" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-tiriac-pensii-private-societate-de-admin)
(entity.ensure-limited-company :name "ALLIANZ - TIRIAC ASIGURARI SA" :jurisdiction "RO" :lei "529900XKNXM9MBH8GS45"
  :city "Bucureşti" :legal-form-code "ANDT" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-tiriac-asigurari)
(entity.ensure-limited-company :name "EULER HERMES SINGAPORE SERVICES PTE. LTD." :jurisdiction "SG" :lei "529900TR00UOR38YIA65"
  :city "Singapore" :legal-form-code "LWXI" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-singapore-services-pte)
(entity.ensure-limited-company :name "Euler Hermes Risk Yönetimi ve Danışmanlık Hizmetleri Limited Şirketi" :jurisdiction "TR" :lei "529900SIE4S7C505KB38"
  :city "Istanbul" :legal-form-code "W2SQ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @euler-hermes-risk-yonetimi-ve-dansmanlk-hizmetle)
(entity.ensure-limited-company :name "Allianz Sigorta Anonim Şirketi" :jurisdiction "TR" :lei "7890006U2TVGMCPE3F49"
  :city "İSTANBUL" :legal-form-code "W2SQ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-sigorta-anonim-sirketi)
(entity.ensure-limited-company :name "台灣裕利安宜有限公司" :jurisdiction "TW" :lei "5299005AGE5ZYF6DVO90"
  :city "Taipei" :legal-form-code "TD8P" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @lei-5299005age5zyf6dvo90)
(entity.ensure-limited-company :name "Jubilee Allianz General Insurance Company Limited" :jurisdiction "UG" :lei "52990050IBGLHYIC3T71"
  :city "Kampala" :legal-form-code "9999" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @jubilee-allianz-general-insurance-company)
(entity.ensure-limited-company :name "INNOVATION FSP (PTY) LTD" :jurisdiction "ZA" :lei "213800CCVZYZHNK22765"
  :city "SANDTON" :legal-form-code "GQVQ" :gleif-category GENERAL :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @innovation-fsp-pty)

;; 2. Funds as legal entities: those with a Legal Entity Identifier, then funds of the German list

(entity.ensure-limited-company :name "Allianz Asia Pacific Secured Lending Fund III S.A., SICAV-RAIF" :jurisdiction "LU" :lei "529900LSFQ65EMQNBP87" :gleif-category FUND :as @allianz-asia-pacific-secured-lending-fund-iii-s)
(entity.ensure-limited-company :name "Allianz Global Enhanced Equity Income" :jurisdiction "LU" :lei "529900O2D7WTTP2ECM60" :gleif-category FUND :as @allianz-global-enhanced-equity-income)
(entity.ensure-limited-company :name "Allianz EuropEquity Crescendo" :jurisdiction "LU" :lei "529900A4N4FMRF1QIT75" :gleif-category FUND :as @allianz-europequity-crescendo)
(entity.ensure-limited-company :name "OCIRP Actions Multifacteurs" :jurisdiction "FR" :lei "529900ZWZD2XKZ3GFO55" :gleif-category FUND :as @ocirp-actions-multifacteurs)
(entity.ensure-limited-company :name "CAPVIVA Infrastructure" :jurisdiction "LU" :lei "5299007D2Y764JWNW850" :gleif-category FUND :as @capviva-infrastructure)
(entity.ensure-limited-company :name "Allianz European Autonomy" :jurisdiction "LU" :lei "529900E5TEG9CGU33298" :gleif-category FUND :as @allianz-european-autonomy)
(entity.ensure-limited-company :name "Aktien Dividende Global" :jurisdiction "DE" :lei "529900NSPM728J89YR40" :gleif-category FUND :as @aktien-dividende-global)
(entity.ensure-limited-company :name "Allianz Private Debt Secondary Fund II EUR Feeder Fund (Germany)" :jurisdiction "DE" :lei "529900UD1FMOKR9RN344" :gleif-category FUND :as @allianz-private-debt-secondary-fund-ii-eur-feede)
(entity.ensure-limited-company :name "Allianz Best Styles US Small Cap Equity" :jurisdiction "LU" :lei "5299008BUZ4793QZRD79" :gleif-category FUND :as @allianz-best-styles-us-small-cap-equity)
(entity.ensure-limited-company :name "Allianz Private Debt Secondary Fund II SCSp, SICAV-RAIF" :jurisdiction "LU" :lei "529900KP3L513IRKR804" :gleif-category FUND :as @allianz-private-debt-secondary-fund-ii-scsp-sica)
(entity.ensure-limited-company :name "ALLIANZ PRIVATE EQUITY PARTNERS IV" :jurisdiction "IT" :lei "815600DD525D8C02EE49"
  :city "MILANO" :legal-form-code "9999" :gleif-category FUND :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-private-equity-partners-iv)
(entity.ensure-limited-company :name "INSIEME - FONDO PENSIONE APERTO A CONTRIBUZIONE DEFINITA" :jurisdiction "IT" :lei "81560044F6DE4CDE9E77"
  :city "MILANO" :legal-form-code "OQ8C" :gleif-category FUND :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @insieme-fondo-pensione-aperto-a-contribuzione-de)
(entity.ensure-limited-company :name "ALLIANZ PREVIDENZA FONDO PENSIONE APERTO A CONTRIBUZIONE DEFINITA" :jurisdiction "IT" :lei "8156003E18B22867E589"
  :city "MILANO" :legal-form-code "OQ8C" :gleif-category FUND :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allianz-previdenza-fondo-pensione-aperto-a-contr)
(entity.ensure-limited-company :name "Allvest Active Invest" :jurisdiction "LU" :lei "549300VFU8KQQT7OXT28"
  :city "Luxembourg" :legal-form-code "UDY2" :gleif-category FUND :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allvest-active-invest)
(entity.ensure-limited-company :name "Allvest Passive Invest" :jurisdiction "LU" :lei "5493009K3LX6KM2X7P46"
  :city "Luxembourg" :legal-form-code "UDY2" :gleif-category FUND :gleif-status ACTIVE :direct-parent-lei "529900K9B0N5BT694847" :as @allvest-passive-invest)

(entity.ensure :name "ALLIANZ ACTIONS EURO CONVICTIONS" :jurisdiction "DE" :entity-type fund :as @allianz-actions-euro-convictions)
(entity.ensure :name "Allianz Adifonds" :jurisdiction "DE" :entity-type fund :as @allianz-adifonds)
(entity.ensure :name "Allianz Adiverba" :jurisdiction "DE" :entity-type fund :as @allianz-adiverba)
(entity.ensure :name "Allianz Biotechnologie" :jurisdiction "DE" :entity-type fund :as @allianz-biotechnologie)
(entity.ensure :name "Allianz Flexi Rentenfonds" :jurisdiction "DE" :entity-type fund :as @allianz-flexi-rentenfonds)
(entity.ensure :name "Allianz Fonds Japan" :jurisdiction "DE" :entity-type fund :as @allianz-fonds-japan)
(entity.ensure :name "Allianz Fondsvorsorge 1947-1951" :jurisdiction "DE" :entity-type fund :as @allianz-fondsvorsorge-1947-1951)
(entity.ensure :name "Allianz Fondsvorsorge 1952-1956" :jurisdiction "DE" :entity-type fund :as @allianz-fondsvorsorge-1952-1956)
(entity.ensure :name "Allianz Fondsvorsorge 1957-1966" :jurisdiction "DE" :entity-type fund :as @allianz-fondsvorsorge-1957-1966)
(entity.ensure :name "Allianz Fondsvorsorge 1967-1976" :jurisdiction "DE" :entity-type fund :as @allianz-fondsvorsorge-1967-1976)
(entity.ensure :name "Allianz Fondsvorsorge 1977-1996" :jurisdiction "DE" :entity-type fund :as @allianz-fondsvorsorge-1977-1996)
(entity.ensure :name "Allianz Global Equity Dividend" :jurisdiction "DE" :entity-type fund :as @allianz-global-equity-dividend)
(entity.ensure :name "Allianz Informationstechnologie" :jurisdiction "DE" :entity-type fund :as @allianz-informationstechnologie)
(entity.ensure :name "Allianz Interglobal" :jurisdiction "DE" :entity-type fund :as @allianz-interglobal)
(entity.ensure :name "Allianz Mobil-Fonds" :jurisdiction "DE" :entity-type fund :as @allianz-mobil-fonds)
(entity.ensure :name "Allianz Multi Manager Global Balanced" :jurisdiction "DE" :entity-type fund :as @allianz-multi-manager-global-balanced)
(entity.ensure :name "Allianz Rentenfonds" :jurisdiction "DE" :entity-type fund :as @allianz-rentenfonds)
(entity.ensure :name "Allianz Rohstofffonds" :jurisdiction "DE" :entity-type fund :as @allianz-rohstofffonds)
(entity.ensure :name "Allianz SGB Renten" :jurisdiction "DE" :entity-type fund :as @allianz-sgb-renten)
(entity.ensure :name "Allianz Strategie 2031 Plus" :jurisdiction "DE" :entity-type fund :as @allianz-strategie-2031-plus)
(entity.ensure :name "Allianz Strategiefonds Stabilität" :jurisdiction "DE" :entity-type fund :as @allianz-strategiefonds-stabilitat)
(entity.ensure :name "Allianz Strategiefonds Wachstum" :jurisdiction "DE" :entity-type fund :as @allianz-strategiefonds-wachstum)
(entity.ensure :name "Allianz Strategiefonds Wachstum Plus" :jurisdiction "DE" :entity-type fund :as @allianz-strategiefonds-wachstum-plus)
(entity.ensure :name "Allianz Thesaurus" :jurisdiction "DE" :entity-type fund :as @allianz-thesaurus)
(entity.ensure :name "Allianz US Large Cap Growth" :jurisdiction "DE" :entity-type fund :as @allianz-us-large-cap-growth)
(entity.ensure :name "Allianz Vermögensbildung Deutschland" :jurisdiction "DE" :entity-type fund :as @allianz-vermogensbildung-deutschland)
(entity.ensure :name "Allianz Wachstum Euroland" :jurisdiction "DE" :entity-type fund :as @allianz-wachstum-euroland)
(entity.ensure :name "Allianz Wachstum Europa" :jurisdiction "DE" :entity-type fund :as @allianz-wachstum-europa)
(entity.ensure :name "Concentra" :jurisdiction "DE" :entity-type fund :as @concentra)
(entity.ensure :name "CONVEST 21 VL" :jurisdiction "DE" :entity-type fund :as @convest-21-vl)
(entity.ensure :name "Fondis" :jurisdiction "DE" :entity-type fund :as @fondis)
(entity.ensure :name "Fondra" :jurisdiction "DE" :entity-type fund :as @fondra)
(entity.ensure :name "Industria" :jurisdiction "DE" :entity-type fund :as @industria)
(entity.ensure :name "Kapital Plus" :jurisdiction "DE" :entity-type fund :as @kapital-plus)
(entity.ensure :name "NÜRNBERGER Euroland A" :jurisdiction "DE" :entity-type fund :as @nurnberger-euroland-a)
(entity.ensure :name "Plusfonds" :jurisdiction "DE" :entity-type fund :as @plusfonds)
(entity.ensure :name "PremiumMandat Konservativ" :jurisdiction "DE" :entity-type fund :as @premiummandat-konservativ)
(entity.ensure :name "PremiumStars Chance" :jurisdiction "DE" :entity-type fund :as @premiumstars-chance)
(entity.ensure :name "PremiumStars Wachstum" :jurisdiction "DE" :entity-type fund :as @premiumstars-wachstum)
(entity.ensure :name "VermögensManagement Stabilität" :jurisdiction "DE" :entity-type fund :as @vermogensmanagement-stabilitat)
(entity.ensure :name "VermögensManagement Stars of Multi Asset" :jurisdiction "DE" :entity-type fund :as @vermogensmanagement-stars-of-multi-asset)

;; 3. A client business unit for each fund

(cbu.ensure :name "Allianz Asia Pacific Secured Lending Fund III S.A., SICAV-RAIF" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-asia-pacific-secured-lending-fund-iii-s)
(cbu.ensure :name "Allianz Global Enhanced Equity Income" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-global-enhanced-equity-income)
(cbu.ensure :name "Allianz EuropEquity Crescendo" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-europequity-crescendo)
(cbu.ensure :name "OCIRP Actions Multifacteurs" :jurisdiction "FR" :client-type FUND :as @cbu-ocirp-actions-multifacteurs)
(cbu.ensure :name "CAPVIVA Infrastructure" :jurisdiction "LU" :client-type FUND :as @cbu-capviva-infrastructure)
(cbu.ensure :name "Allianz European Autonomy" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-european-autonomy)
(cbu.ensure :name "Aktien Dividende Global" :jurisdiction "DE" :client-type FUND :as @cbu-aktien-dividende-global)
(cbu.ensure :name "Allianz Private Debt Secondary Fund II EUR Feeder Fund (Germany)" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-private-debt-secondary-fund-ii-eur-feede)
(cbu.ensure :name "Allianz Best Styles US Small Cap Equity" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-best-styles-us-small-cap-equity)
(cbu.ensure :name "Allianz Private Debt Secondary Fund II SCSp, SICAV-RAIF" :jurisdiction "LU" :client-type FUND :as @cbu-allianz-private-debt-secondary-fund-ii-scsp-sica)
(cbu.ensure :name "ALLIANZ ACTIONS EURO CONVICTIONS" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-actions-euro-convictions)
(cbu.ensure :name "Allianz Adifonds" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-adifonds)
(cbu.ensure :name "Allianz Adiverba" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-adiverba)
(cbu.ensure :name "Allianz Biotechnologie" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-biotechnologie)
(cbu.ensure :name "Allianz Flexi Rentenfonds" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-flexi-rentenfonds)
(cbu.ensure :name "Allianz Fonds Japan" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fonds-japan)
(cbu.ensure :name "Allianz Fondsvorsorge 1947-1951" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fondsvorsorge-1947-1951)
(cbu.ensure :name "Allianz Fondsvorsorge 1952-1956" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fondsvorsorge-1952-1956)
(cbu.ensure :name "Allianz Fondsvorsorge 1957-1966" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fondsvorsorge-1957-1966)
(cbu.ensure :name "Allianz Fondsvorsorge 1967-1976" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fondsvorsorge-1967-1976)
(cbu.ensure :name "Allianz Fondsvorsorge 1977-1996" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-fondsvorsorge-1977-1996)
(cbu.ensure :name "Allianz Global Equity Dividend" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-global-equity-dividend)
(cbu.ensure :name "Allianz Informationstechnologie" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-informationstechnologie)
(cbu.ensure :name "Allianz Interglobal" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-interglobal)
(cbu.ensure :name "Allianz Mobil-Fonds" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-mobil-fonds)
(cbu.ensure :name "Allianz Multi Manager Global Balanced" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-multi-manager-global-balanced)
(cbu.ensure :name "Allianz Rentenfonds" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-rentenfonds)
(cbu.ensure :name "Allianz Rohstofffonds" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-rohstofffonds)
(cbu.ensure :name "Allianz SGB Renten" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-sgb-renten)
(cbu.ensure :name "Allianz Strategie 2031 Plus" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-strategie-2031-plus)
(cbu.ensure :name "Allianz Strategiefonds Stabilität" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-strategiefonds-stabilitat)
(cbu.ensure :name "Allianz Strategiefonds Wachstum" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-strategiefonds-wachstum)
(cbu.ensure :name "Allianz Strategiefonds Wachstum Plus" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-strategiefonds-wachstum-plus)
(cbu.ensure :name "Allianz Thesaurus" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-thesaurus)
(cbu.ensure :name "Allianz US Large Cap Growth" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-us-large-cap-growth)
(cbu.ensure :name "Allianz Vermögensbildung Deutschland" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-vermogensbildung-deutschland)
(cbu.ensure :name "Allianz Wachstum Euroland" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-wachstum-euroland)
(cbu.ensure :name "Allianz Wachstum Europa" :jurisdiction "DE" :client-type FUND :as @cbu-allianz-wachstum-europa)
(cbu.ensure :name "Concentra" :jurisdiction "DE" :client-type FUND :as @cbu-concentra)
(cbu.ensure :name "CONVEST 21 VL" :jurisdiction "DE" :client-type FUND :as @cbu-convest-21-vl)
(cbu.ensure :name "Fondis" :jurisdiction "DE" :client-type FUND :as @cbu-fondis)
(cbu.ensure :name "Fondra" :jurisdiction "DE" :client-type FUND :as @cbu-fondra)
(cbu.ensure :name "Industria" :jurisdiction "DE" :client-type FUND :as @cbu-industria)
(cbu.ensure :name "Kapital Plus" :jurisdiction "DE" :client-type FUND :as @cbu-kapital-plus)
(cbu.ensure :name "NÜRNBERGER Euroland A" :jurisdiction "DE" :client-type FUND :as @cbu-nurnberger-euroland-a)
(cbu.ensure :name "Plusfonds" :jurisdiction "DE" :client-type FUND :as @cbu-plusfonds)
(cbu.ensure :name "PremiumMandat Konservativ" :jurisdiction "DE" :client-type FUND :as @cbu-premiummandat-konservativ)
(cbu.ensure :name "PremiumStars Chance" :jurisdiction "DE" :client-type FUND :as @cbu-premiumstars-chance)
(cbu.ensure :name "PremiumStars Wachstum" :jurisdiction "DE" :client-type FUND :as @cbu-premiumstars-wachstum)
(cbu.ensure :name "VermögensManagement Stabilität" :jurisdiction "DE" :client-type FUND :as @cbu-vermogensmanagement-stabilitat)
(cbu.ensure :name "VermögensManagement Stars of Multi Asset" :jurisdiction "DE" :client-type FUND :as @cbu-vermogensmanagement-stars-of-multi-asset)

;; 4. The funds as products, tied to their legal entity and their client business unit

(fund.ensure :name "Allianz Asia Pacific Secured Lending Fund III S.A., SICAV-RAIF" :jurisdiction "LU" :entity-id @allianz-asia-pacific-secured-lending-fund-iii-s :cbu-id @cbu-allianz-asia-pacific-secured-lending-fund-iii-s :as @fund-allianz-asia-pacific-secured-lending-fund-iii-s)
(fund.ensure :name "Allianz Global Enhanced Equity Income" :jurisdiction "LU" :entity-id @allianz-global-enhanced-equity-income :cbu-id @cbu-allianz-global-enhanced-equity-income)
(fund.ensure :name "Allianz EuropEquity Crescendo" :jurisdiction "LU" :entity-id @allianz-europequity-crescendo :cbu-id @cbu-allianz-europequity-crescendo)
(fund.ensure :name "OCIRP Actions Multifacteurs" :jurisdiction "FR" :entity-id @ocirp-actions-multifacteurs :cbu-id @cbu-ocirp-actions-multifacteurs)
(fund.ensure :name "CAPVIVA Infrastructure" :jurisdiction "LU" :entity-id @capviva-infrastructure :cbu-id @cbu-capviva-infrastructure)
(fund.ensure :name "Allianz European Autonomy" :jurisdiction "LU" :entity-id @allianz-european-autonomy :cbu-id @cbu-allianz-european-autonomy)
(fund.ensure :name "Aktien Dividende Global" :jurisdiction "DE" :entity-id @aktien-dividende-global :cbu-id @cbu-aktien-dividende-global)
(fund.ensure :name "Allianz Private Debt Secondary Fund II EUR Feeder Fund (Germany)" :jurisdiction "DE" :entity-id @allianz-private-debt-secondary-fund-ii-eur-feede :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-eur-feede)
(fund.ensure :name "Allianz Best Styles US Small Cap Equity" :jurisdiction "LU" :entity-id @allianz-best-styles-us-small-cap-equity :cbu-id @cbu-allianz-best-styles-us-small-cap-equity)
(fund.ensure :name "Allianz Private Debt Secondary Fund II SCSp, SICAV-RAIF" :jurisdiction "LU" :entity-id @allianz-private-debt-secondary-fund-ii-scsp-sica :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-scsp-sica)
(fund.ensure :name "ALLIANZ ACTIONS EURO CONVICTIONS" :jurisdiction "DE" :entity-id @allianz-actions-euro-convictions :cbu-id @cbu-allianz-actions-euro-convictions)
(fund.ensure :name "Allianz Adifonds" :jurisdiction "DE" :entity-id @allianz-adifonds :cbu-id @cbu-allianz-adifonds)
(fund.ensure :name "Allianz Adiverba" :jurisdiction "DE" :entity-id @allianz-adiverba :cbu-id @cbu-allianz-adiverba)
(fund.ensure :name "Allianz Biotechnologie" :jurisdiction "DE" :entity-id @allianz-biotechnologie :cbu-id @cbu-allianz-biotechnologie)
(fund.ensure :name "Allianz Flexi Rentenfonds" :jurisdiction "DE" :entity-id @allianz-flexi-rentenfonds :cbu-id @cbu-allianz-flexi-rentenfonds)
(fund.ensure :name "Allianz Fonds Japan" :jurisdiction "DE" :entity-id @allianz-fonds-japan :cbu-id @cbu-allianz-fonds-japan)
(fund.ensure :name "Allianz Fondsvorsorge 1947-1951" :jurisdiction "DE" :entity-id @allianz-fondsvorsorge-1947-1951 :cbu-id @cbu-allianz-fondsvorsorge-1947-1951)
(fund.ensure :name "Allianz Fondsvorsorge 1952-1956" :jurisdiction "DE" :entity-id @allianz-fondsvorsorge-1952-1956 :cbu-id @cbu-allianz-fondsvorsorge-1952-1956)
(fund.ensure :name "Allianz Fondsvorsorge 1957-1966" :jurisdiction "DE" :entity-id @allianz-fondsvorsorge-1957-1966 :cbu-id @cbu-allianz-fondsvorsorge-1957-1966)
(fund.ensure :name "Allianz Fondsvorsorge 1967-1976" :jurisdiction "DE" :entity-id @allianz-fondsvorsorge-1967-1976 :cbu-id @cbu-allianz-fondsvorsorge-1967-1976)
(fund.ensure :name "Allianz Fondsvorsorge 1977-1996" :jurisdiction "DE" :entity-id @allianz-fondsvorsorge-1977-1996 :cbu-id @cbu-allianz-fondsvorsorge-1977-1996)
(fund.ensure :name "Allianz Global Equity Dividend" :jurisdiction "DE" :entity-id @allianz-global-equity-dividend :cbu-id @cbu-allianz-global-equity-dividend)
(fund.ensure :name "Allianz Informationstechnologie" :jurisdiction "DE" :entity-id @allianz-informationstechnologie :cbu-id @cbu-allianz-informationstechnologie)
(fund.ensure :name "Allianz Interglobal" :jurisdiction "DE" :entity-id @allianz-interglobal :cbu-id @cbu-allianz-interglobal)
(fund.ensure :name "Allianz Mobil-Fonds" :jurisdiction "DE" :entity-id @allianz-mobil-fonds :cbu-id @cbu-allianz-mobil-fonds)
(fund.ensure :name "Allianz Multi Manager Global Balanced" :jurisdiction "DE" :entity-id @allianz-multi-manager-global-balanced :cbu-id @cbu-allianz-multi-manager-global-balanced)
(fund.ensure :name "Allianz Rentenfonds" :jurisdiction "DE" :entity-id @allianz-rentenfonds :cbu-id @cbu-allianz-rentenfonds)
(fund.ensure :name "Allianz Rohstofffonds" :jurisdiction "DE" :entity-id @allianz-rohstofffonds :cbu-id @cbu-allianz-rohstofffonds)
(fund.ensure :name "Allianz SGB Renten" :jurisdiction "DE" :entity-id @allianz-sgb-renten :cbu-id @cbu-allianz-sgb-renten)
(fund.ensure :name "Allianz Strategie 2031 Plus" :jurisdiction "DE" :entity-id @allianz-strategie-2031-plus :cbu-id @cbu-allianz-strategie-2031-plus)
(fund.ensure :name "Allianz Strategiefonds Stabilität" :jurisdiction "DE" :entity-id @allianz-strategiefonds-stabilitat :cbu-id @cbu-allianz-strategiefonds-stabilitat)
(fund.ensure :name "Allianz Strategiefonds Wachstum" :jurisdiction "DE" :entity-id @allianz-strategiefonds-wachstum :cbu-id @cbu-allianz-strategiefonds-wachstum)
(fund.ensure :name "Allianz Strategiefonds Wachstum Plus" :jurisdiction "DE" :entity-id @allianz-strategiefonds-wachstum-plus :cbu-id @cbu-allianz-strategiefonds-wachstum-plus)
(fund.ensure :name "Allianz Thesaurus" :jurisdiction "DE" :entity-id @allianz-thesaurus :cbu-id @cbu-allianz-thesaurus)
(fund.ensure :name "Allianz US Large Cap Growth" :jurisdiction "DE" :entity-id @allianz-us-large-cap-growth :cbu-id @cbu-allianz-us-large-cap-growth)
(fund.ensure :name "Allianz Vermögensbildung Deutschland" :jurisdiction "DE" :entity-id @allianz-vermogensbildung-deutschland :cbu-id @cbu-allianz-vermogensbildung-deutschland)
(fund.ensure :name "Allianz Wachstum Euroland" :jurisdiction "DE" :entity-id @allianz-wachstum-euroland :cbu-id @cbu-allianz-wachstum-euroland)
(fund.ensure :name "Allianz Wachstum Europa" :jurisdiction "DE" :entity-id @allianz-wachstum-europa :cbu-id @cbu-allianz-wachstum-europa)
(fund.ensure :name "Concentra" :jurisdiction "DE" :entity-id @concentra :cbu-id @cbu-concentra)
(fund.ensure :name "CONVEST 21 VL" :jurisdiction "DE" :entity-id @convest-21-vl :cbu-id @cbu-convest-21-vl)
(fund.ensure :name "Fondis" :jurisdiction "DE" :entity-id @fondis :cbu-id @cbu-fondis)
(fund.ensure :name "Fondra" :jurisdiction "DE" :entity-id @fondra :cbu-id @cbu-fondra)
(fund.ensure :name "Industria" :jurisdiction "DE" :entity-id @industria :cbu-id @cbu-industria)
(fund.ensure :name "Kapital Plus" :jurisdiction "DE" :entity-id @kapital-plus :cbu-id @cbu-kapital-plus)
(fund.ensure :name "NÜRNBERGER Euroland A" :jurisdiction "DE" :entity-id @nurnberger-euroland-a :cbu-id @cbu-nurnberger-euroland-a)
(fund.ensure :name "Plusfonds" :jurisdiction "DE" :entity-id @plusfonds :cbu-id @cbu-plusfonds)
(fund.ensure :name "PremiumMandat Konservativ" :jurisdiction "DE" :entity-id @premiummandat-konservativ :cbu-id @cbu-premiummandat-konservativ)
(fund.ensure :name "PremiumStars Chance" :jurisdiction "DE" :entity-id @premiumstars-chance :cbu-id @cbu-premiumstars-chance)
(fund.ensure :name "PremiumStars Wachstum" :jurisdiction "DE" :entity-id @premiumstars-wachstum :cbu-id @cbu-premiumstars-wachstum)
(fund.ensure :name "VermögensManagement Stabilität" :jurisdiction "DE" :entity-id @vermogensmanagement-stabilitat :cbu-id @cbu-vermogensmanagement-stabilitat)
(fund.ensure :name "VermögensManagement Stars of Multi Asset" :jurisdiction "DE" :entity-id @vermogensmanagement-stars-of-multi-asset :cbu-id @cbu-vermogensmanagement-stars-of-multi-asset)

;; 5. Roles: the fund owns the assets; the manager of all of them is Allianz Global Investors GmbH

(cbu.assign-role :cbu-id @cbu-allianz-asia-pacific-secured-lending-fund-iii-s :entity-id @allianz-asia-pacific-secured-lending-fund-iii-s :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-asia-pacific-secured-lending-fund-iii-s :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-global-enhanced-equity-income :entity-id @allianz-global-enhanced-equity-income :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-global-enhanced-equity-income :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-europequity-crescendo :entity-id @allianz-europequity-crescendo :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-europequity-crescendo :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-ocirp-actions-multifacteurs :entity-id @ocirp-actions-multifacteurs :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-ocirp-actions-multifacteurs :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-capviva-infrastructure :entity-id @capviva-infrastructure :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-capviva-infrastructure :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-european-autonomy :entity-id @allianz-european-autonomy :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-european-autonomy :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-aktien-dividende-global :entity-id @aktien-dividende-global :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-aktien-dividende-global :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-eur-feede :entity-id @allianz-private-debt-secondary-fund-ii-eur-feede :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-eur-feede :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-best-styles-us-small-cap-equity :entity-id @allianz-best-styles-us-small-cap-equity :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-best-styles-us-small-cap-equity :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-scsp-sica :entity-id @allianz-private-debt-secondary-fund-ii-scsp-sica :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-scsp-sica :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-actions-euro-convictions :entity-id @allianz-actions-euro-convictions :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-actions-euro-convictions :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-adifonds :entity-id @allianz-adifonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-adifonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-adiverba :entity-id @allianz-adiverba :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-adiverba :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-biotechnologie :entity-id @allianz-biotechnologie :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-biotechnologie :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-flexi-rentenfonds :entity-id @allianz-flexi-rentenfonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-flexi-rentenfonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fonds-japan :entity-id @allianz-fonds-japan :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fonds-japan :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1947-1951 :entity-id @allianz-fondsvorsorge-1947-1951 :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1947-1951 :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1952-1956 :entity-id @allianz-fondsvorsorge-1952-1956 :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1952-1956 :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1957-1966 :entity-id @allianz-fondsvorsorge-1957-1966 :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1957-1966 :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1967-1976 :entity-id @allianz-fondsvorsorge-1967-1976 :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1967-1976 :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1977-1996 :entity-id @allianz-fondsvorsorge-1977-1996 :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-fondsvorsorge-1977-1996 :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-global-equity-dividend :entity-id @allianz-global-equity-dividend :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-global-equity-dividend :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-informationstechnologie :entity-id @allianz-informationstechnologie :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-informationstechnologie :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-interglobal :entity-id @allianz-interglobal :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-interglobal :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-mobil-fonds :entity-id @allianz-mobil-fonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-mobil-fonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-multi-manager-global-balanced :entity-id @allianz-multi-manager-global-balanced :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-multi-manager-global-balanced :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-rentenfonds :entity-id @allianz-rentenfonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-rentenfonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-rohstofffonds :entity-id @allianz-rohstofffonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-rohstofffonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-sgb-renten :entity-id @allianz-sgb-renten :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-sgb-renten :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-strategie-2031-plus :entity-id @allianz-strategie-2031-plus :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-strategie-2031-plus :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-stabilitat :entity-id @allianz-strategiefonds-stabilitat :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-stabilitat :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-wachstum :entity-id @allianz-strategiefonds-wachstum :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-wachstum :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-wachstum-plus :entity-id @allianz-strategiefonds-wachstum-plus :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-strategiefonds-wachstum-plus :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-thesaurus :entity-id @allianz-thesaurus :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-thesaurus :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-us-large-cap-growth :entity-id @allianz-us-large-cap-growth :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-us-large-cap-growth :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-vermogensbildung-deutschland :entity-id @allianz-vermogensbildung-deutschland :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-vermogensbildung-deutschland :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-wachstum-euroland :entity-id @allianz-wachstum-euroland :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-wachstum-euroland :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-allianz-wachstum-europa :entity-id @allianz-wachstum-europa :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-allianz-wachstum-europa :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-concentra :entity-id @concentra :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-concentra :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-convest-21-vl :entity-id @convest-21-vl :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-convest-21-vl :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-fondis :entity-id @fondis :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-fondis :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-fondra :entity-id @fondra :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-fondra :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-industria :entity-id @industria :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-industria :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-kapital-plus :entity-id @kapital-plus :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-kapital-plus :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-nurnberger-euroland-a :entity-id @nurnberger-euroland-a :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-nurnberger-euroland-a :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-plusfonds :entity-id @plusfonds :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-plusfonds :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-premiummandat-konservativ :entity-id @premiummandat-konservativ :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-premiummandat-konservativ :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-premiumstars-chance :entity-id @premiumstars-chance :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-premiumstars-chance :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-premiumstars-wachstum :entity-id @premiumstars-wachstum :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-premiumstars-wachstum :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-vermogensmanagement-stabilitat :entity-id @vermogensmanagement-stabilitat :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-vermogensmanagement-stabilitat :entity-id @allianz-gi :role MANAGEMENT_COMPANY)
(cbu.assign-role :cbu-id @cbu-vermogensmanagement-stars-of-multi-asset :entity-id @vermogensmanagement-stars-of-multi-asset :role ASSET_OWNER)
(cbu.assign-role :cbu-id @cbu-vermogensmanagement-stars-of-multi-asset :entity-id @allianz-gi :role MANAGEMENT_COMPANY)

;; 6. Ownership: who consolidates whom, as GLEIF relationship records say

(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-gi :ownership-type DIRECTLY_CONSOLIDATED :corroboration FULLY_CORROBORATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @pimco-global-advisors :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allvest :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-esa :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @innovation-group-holdings :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @societe-europeenne-de-protection-et-de-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @awp-reunion-sas :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @valderrama :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @viridium-group :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @az-euro-investments-ii :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-x-euler-hermes-co-investments :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-societe-financiere :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pension-service :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-836800f5011731000058 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-north-america-holding :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900mi7qz401xsm482 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-services-belgium :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-residential-mortgage-company :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-5299005953hthiflb921 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-5299005age5zyf6dvo90 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-391200onqc54ulsh6f19 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @innovation-fsp-pty :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @kaiser-x-labs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-5299000v0bzseot5sv34 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-france-real-estate :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @jubilee-allianz-general-insurance-mauritius :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @windpower-ujscie :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @jubilee-allianz-general-insurance-company :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @azl-ai-nr-1 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-holding-eins :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-services-private :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-strategic-investments :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @liverpool-victoria-general-insurance-group :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @highway-insurance-group :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lv-repair-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @buddies-enterprises :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-nigeria-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @societe-fonciere-europeenne :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-servicos-de-gestao-de-riscos-ltda :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @morningchapter :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-fund-investments :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-investors-uk :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @asit-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @vanilla-capital-markets :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-corporate-and-specialty-do-brasil :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-real-estate-investment :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-australia-pty :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @awp-assistance-india-private :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-collections-2 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-52990011dmjpyeb0fd90 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900zyv65dzct32i95 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900sn82y8a2342j57 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900we7cxw12ubmv28 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-52990023xowcxjk03d45 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-finance-corporation :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-corporate-and-specialty-of-bermud :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-collections :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-risk-yonetimi-ve-dansmanlk-hizmetle :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @pet-plan :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-properties :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-engineering-inspection-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @petios :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-holdings :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-uk :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pension-fund-trustees :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-uk-distribution :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-equity-investments :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-management-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-of-asia-pacific-and-africa :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @arges-investments-ii :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @arges-investments-i :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @ap-solutions :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-investors-asia-pacific :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @cic-allianz-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-technology-s-l :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-sociedade-gestora-de-fundos-de-pensoes :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-holding-france :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-finance-ii :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-finance-iii :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-risk-transfer :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-africa :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-asset-management-france :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-technology-sas :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @towarzystwo-ubezpieczen-euler-hermes :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-next-s-p-a :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @powszechne-towarzystwo-emerytalne-allianz-polska :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pensionskasse-2 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-life-insurance-lanka :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-tiriac-pensii-private-societate-de-admin :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pensionsfonds :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @deutsche-lebensversicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-direct-versicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @volkswagen-autoversicherung :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-agrar :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @adeus-aktienregister-service :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-vorsorgekasse :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-patrimonia :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-mena-holding-bermuda :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @cap-rechtsschutz-versicherungsgesellschaft :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-5299000vhrs2vtqsym59 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-services-uk :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-singapore-services-pte :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-north-america-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-hong-kong-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-2 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-reinsurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-services-sas :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @euler-hermes-group :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-life-insurance-japan :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900njyugro908kv84 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-sigorta-anonim-sirketi :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @top-vs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-capital-partners :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @pimco-prime-real-estate :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-mexico-sa-compania-de-seguros :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-asset-management :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-technology :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900ay9gpdh3oqf009 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-alapkezelo-zrt :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-nederland-groep :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @yao-newrep-investments :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @companhia-de-seguros-allianz-portugal :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @ids-gmbh-analysis-and-reporting-services :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-partners-sas :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-compania-de-seguros-y-reaseguros :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @investitori-societa-di-gestione-del-risparmio-s :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-europe-2 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-deutschland :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-beratungs-und-vertriebs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-european-reliance-single-member-insuranc :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-europe :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-tiriac-asigurari :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-hungaria-biztosito-zartkoruen-mukodo-res :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-hrvatska-dionicko-drustvo-za-osiguranje :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @towarzystwo-ubezpieczen-i-reasekuracji-allianz-p :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @towarzystwo-ubezpieczen-allianz-zycie-polska :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900bngn523noywp15 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @lei-529900b6drcz3roaqw27 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-societa-per-azioni-in-forma-abbreviata-a :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @unicredit-vita-assicurazioni-s-p-a :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-investment-management :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-invest-kapitalanlagegesellschaft-mbh :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-elementar-versicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-re-dublin-designated-activity :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-benelux :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-elementar-lebensversicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-suisse-versicherungs-gesellschaft :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-suisse-lebensversicherungs-gesellschaft :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-penzijni-spolecnost :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pojistovna :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-lebensversicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-private-krankenversicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-pensionskasse :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-versicherungs :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-life-designated-activity :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-risk-transfer-2 :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-australia-life-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @darta-saving-life-assurance-designated-activity :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-risks-us-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-global-corporate-and-specialty :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @fireman-s-fund-insurance :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-life-insurance-company-of-north-america :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-private-equity-partners-iv :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @insieme-fondo-pensione-aperto-a-contribuzione-de :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allianz-previdenza-fondo-pensione-aperto-a-contr :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allvest-active-invest :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-se :owned-entity-id @allvest-passive-invest :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-gi :owned-entity-id @allianz-capital-partners-of-america :ownership-type DIRECTLY_CONSOLIDATED)
(ubo.add-ownership :owner-entity-id @allianz-gi :owned-entity-id @lei-353800nvwwgob9jxqz47 :ownership-type DIRECTLY_CONSOLIDATED)

;; 7. A first review of the funds that have an identifier

(kyc-case.ensure :cbu-id @cbu-allianz-asia-pacific-secured-lending-fund-iii-s :name "First review" :case-type NEW_CLIENT :as @case-allianz-asia-pacific-secured-lending-fund-iii-s)
(kyc-case.add-subject :case-id @case-allianz-asia-pacific-secured-lending-fund-iii-s :entity-id @allianz-asia-pacific-secured-lending-fund-iii-s :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-asia-pacific-secured-lending-fund-iii-s :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-global-enhanced-equity-income :name "First review" :case-type NEW_CLIENT :as @case-allianz-global-enhanced-equity-income)
(kyc-case.add-subject :case-id @case-allianz-global-enhanced-equity-income :entity-id @allianz-global-enhanced-equity-income :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-global-enhanced-equity-income :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-europequity-crescendo :name "First review" :case-type NEW_CLIENT :as @case-allianz-europequity-crescendo)
(kyc-case.add-subject :case-id @case-allianz-europequity-crescendo :entity-id @allianz-europequity-crescendo :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-europequity-crescendo :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-ocirp-actions-multifacteurs :name "First review" :case-type NEW_CLIENT :as @case-ocirp-actions-multifacteurs)
(kyc-case.add-subject :case-id @case-ocirp-actions-multifacteurs :entity-id @ocirp-actions-multifacteurs :role PRIMARY)
(kyc-case.screen :case-id @case-ocirp-actions-multifacteurs :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-capviva-infrastructure :name "First review" :case-type NEW_CLIENT :as @case-capviva-infrastructure)
(kyc-case.add-subject :case-id @case-capviva-infrastructure :entity-id @capviva-infrastructure :role PRIMARY)
(kyc-case.screen :case-id @case-capviva-infrastructure :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-european-autonomy :name "First review" :case-type NEW_CLIENT :as @case-allianz-european-autonomy)
(kyc-case.add-subject :case-id @case-allianz-european-autonomy :entity-id @allianz-european-autonomy :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-european-autonomy :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-aktien-dividende-global :name "First review" :case-type NEW_CLIENT :as @case-aktien-dividende-global)
(kyc-case.add-subject :case-id @case-aktien-dividende-global :entity-id @aktien-dividende-global :role PRIMARY)
(kyc-case.screen :case-id @case-aktien-dividende-global :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-eur-feede :name "First review" :case-type NEW_CLIENT :as @case-allianz-private-debt-secondary-fund-ii-eur-feede)
(kyc-case.add-subject :case-id @case-allianz-private-debt-secondary-fund-ii-eur-feede :entity-id @allianz-private-debt-secondary-fund-ii-eur-feede :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-private-debt-secondary-fund-ii-eur-feede :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-best-styles-us-small-cap-equity :name "First review" :case-type NEW_CLIENT :as @case-allianz-best-styles-us-small-cap-equity)
(kyc-case.add-subject :case-id @case-allianz-best-styles-us-small-cap-equity :entity-id @allianz-best-styles-us-small-cap-equity :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-best-styles-us-small-cap-equity :screening-type SANCTIONS)
(kyc-case.ensure :cbu-id @cbu-allianz-private-debt-secondary-fund-ii-scsp-sica :name "First review" :case-type NEW_CLIENT :as @case-allianz-private-debt-secondary-fund-ii-scsp-sica)
(kyc-case.add-subject :case-id @case-allianz-private-debt-secondary-fund-ii-scsp-sica :entity-id @allianz-private-debt-secondary-fund-ii-scsp-sica :role PRIMARY)
(kyc-case.screen :case-id @case-allianz-private-debt-secondary-fund-ii-scsp-sica :screening-type SANCTIONS)

;; 8. Checks: the sheet commits only if these hold

(cbu.expect :name "CAPVIVA Infrastructure")
(entity.expect-lei :lei "OJ2TIQSVQND4IZYYK658")
(cbu.parties :cbu-id @cbu-allianz-asia-pacific-secured-lending-fund-iii-s)
(ubo.owners :owned-entity-id @allianz-gi)
(fund.read :fund-id @fund-allianz-asia-pacific-secured-lending-fund-iii-s)
