-- The tables of the example `onboarding` in PostgreSQL's own types; schema.sql has them for SQLite, and tells what is what.
-- Keys are UUIDs that the server makes, lists are arrays. Running this file again changes nothing.

-- A client business unit: the account structure that custody, roles and KYC hang on.
CREATE TABLE IF NOT EXISTS cbus (
    cbu_id       uuid NOT NULL PRIMARY KEY,
    name         text NOT NULL CHECK (name <> ''),
    jurisdiction text,
    client_type  text NOT NULL DEFAULT 'FUND' CHECK (client_type IN ('FUND', 'CORPORATE', 'INDIVIDUAL', 'TRUST')),
    legal_form   text,
    currency     text CHECK (length(currency) = 3),
    status       text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'CLOSED'))
);
CREATE UNIQUE INDEX IF NOT EXISTS cbus_by_name ON cbus (name, jurisdiction);

-- Companies, trusts, public bodies and people. A person may come with first and last name only (see the trigger).
-- Two people of one name are two rows: people have a nationality and, as a rule, no jurisdiction.
CREATE TABLE IF NOT EXISTS entities (
    entity_id              uuid NOT NULL PRIMARY KEY,
    name                   text CHECK (name <> ''),
    jurisdiction           text,
    entity_type            text NOT NULL DEFAULT 'legal',
    cbu_id                 uuid REFERENCES cbus (cbu_id) ON DELETE SET NULL, -- the CBU it was first met with
    lei                    text CHECK (length(lei) = 20),
    registration_number    text,
    city                   text,
    first_name             text,
    last_name              text,
    date_of_birth          date,
    nationality            text,
    tax_residency          text,
    is_pep                 boolean NOT NULL DEFAULT false,
    status                 text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'INACTIVE', 'DISSOLVED')),
    gleif_status           text,
    gleif_category         text,
    gleif_validation_level text,
    legal_form_code        text, -- ISO 20275
    direct_parent_lei      text, -- as GLEIF reports them: the parent need not be a row here
    ultimate_parent_lei    text,
    parent_exception       text, -- why GLEIF has no parent
    CHECK (name IS NOT NULL OR (first_name IS NOT NULL AND last_name IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS entities_by_name ON entities (name, jurisdiction);
CREATE UNIQUE INDEX IF NOT EXISTS entities_by_lei ON entities (lei);
CREATE UNIQUE INDEX IF NOT EXISTS entities_by_person ON entities (first_name, last_name, date_of_birth);
CREATE INDEX IF NOT EXISTS entities_by_cbu ON entities (cbu_id);

-- People are found by `name` like everyone else.
CREATE OR REPLACE FUNCTION entities_name_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.name := NEW.first_name || ' ' || NEW.last_name;
    RETURN NEW;
END;
$$;
CREATE OR REPLACE TRIGGER entities_name_person BEFORE INSERT ON entities
FOR EACH ROW WHEN (NEW.name IS NULL) EXECUTE FUNCTION entities_name_person();

-- Who does what for a CBU.
CREATE TABLE IF NOT EXISTS cbu_roles (
    cbu_id               uuid NOT NULL REFERENCES cbus (cbu_id),
    entity_id            uuid NOT NULL REFERENCES entities (entity_id),
    role                 text NOT NULL CHECK (role <> ''),
    target_entity_id     uuid REFERENCES entities (entity_id), -- the company or trust that the role is held in
    ownership_percentage numeric CHECK (ownership_percentage BETWEEN 0 AND 100),
    effective_date       date,
    PRIMARY KEY (cbu_id, entity_id, role)
);
CREATE INDEX IF NOT EXISTS cbu_roles_by_entity ON cbu_roles (entity_id);

-- What a CBU buys.
CREATE TABLE IF NOT EXISTS cbu_products (
    cbu_id     uuid NOT NULL REFERENCES cbus (cbu_id),
    product    text NOT NULL,
    start_date date,
    PRIMARY KEY (cbu_id, product)
);

-- Who owns or consolidates whom.
CREATE TABLE IF NOT EXISTS ownerships (
    owner_entity_id uuid NOT NULL REFERENCES entities (entity_id),
    owned_entity_id uuid NOT NULL REFERENCES entities (entity_id),
    ownership_type  text NOT NULL,
    percentage      numeric CHECK (percentage BETWEEN 0 AND 100),
    corroboration   text,
    effective_date  date,
    PRIMARY KEY (owner_entity_id, owned_entity_id, ownership_type),
    CHECK (owner_entity_id <> owned_entity_id)
);
CREATE INDEX IF NOT EXISTS ownerships_by_owned ON ownerships (owned_entity_id);

-- Funds: stand-alone, umbrella, or a sub-fund of an umbrella.
CREATE TABLE IF NOT EXISTS funds (
    fund_id       uuid NOT NULL PRIMARY KEY,
    name          text NOT NULL CHECK (name <> ''),
    jurisdiction  text NOT NULL,
    structure     text NOT NULL CHECK (structure IN ('STANDALONE', 'UMBRELLA', 'SUB_FUND')),
    umbrella_id   uuid REFERENCES funds (fund_id),
    entity_id     uuid REFERENCES entities (entity_id), -- the fund as a legal entity, where it is one
    cbu_id        uuid REFERENCES cbus (cbu_id),        -- the CBU that serves it
    legal_form    text,
    regime        text,
    base_currency text CHECK (length(base_currency) = 3),
    status        text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('PLANNED', 'ACTIVE', 'LIQUIDATING', 'CLOSED')),
    CHECK ((structure = 'SUB_FUND') = (umbrella_id IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS funds_by_name ON funds (name, jurisdiction);
CREATE INDEX IF NOT EXISTS funds_by_umbrella ON funds (umbrella_id);
CREATE INDEX IF NOT EXISTS funds_by_entity ON funds (entity_id);
CREATE INDEX IF NOT EXISTS funds_by_cbu ON funds (cbu_id);

CREATE TABLE IF NOT EXISTS share_classes (
    share_class_id uuid NOT NULL PRIMARY KEY,
    fund_id        uuid NOT NULL REFERENCES funds (fund_id),
    isin           text NOT NULL CHECK (length(isin) = 12),
    name           text NOT NULL,
    currency       text NOT NULL CHECK (length(currency) = 3),
    distribution   text,
    hedged         boolean NOT NULL DEFAULT false,
    ongoing_charge numeric, -- percent a year
    launch_date    date
);
CREATE UNIQUE INDEX IF NOT EXISTS share_classes_by_isin ON share_classes (isin);
CREATE INDEX IF NOT EXISTS share_classes_by_fund ON share_classes (fund_id);

-- Papers received.
CREATE TABLE IF NOT EXISTS documents (
    document_id   uuid NOT NULL PRIMARY KEY,
    cbu_id        uuid NOT NULL REFERENCES cbus (cbu_id),
    entity_id     uuid REFERENCES entities (entity_id), -- whom the paper is about, if not the CBU as a whole
    document_type text NOT NULL,
    title         text,
    issue_date    date,
    expiry_date   date,
    status        text NOT NULL DEFAULT 'RECEIVED' CHECK (status IN ('RECEIVED', 'VERIFIED', 'REJECTED')),
    CHECK (expiry_date >= issue_date)
);
CREATE INDEX IF NOT EXISTS documents_by_cbu ON documents (cbu_id);
CREATE INDEX IF NOT EXISTS documents_by_entity ON documents (entity_id);

-- A review of a CBU; its name, where it has one, is unique for the CBU.
CREATE TABLE IF NOT EXISTS kyc_cases (
    case_id     uuid NOT NULL PRIMARY KEY,
    cbu_id      uuid NOT NULL REFERENCES cbus (cbu_id),
    name        text,
    case_type   text NOT NULL,
    risk_rating text,
    status      text NOT NULL DEFAULT 'OPEN',
    notes       text
);
CREATE UNIQUE INDEX IF NOT EXISTS kyc_cases_by_name ON kyc_cases (cbu_id, name);

CREATE TABLE IF NOT EXISTS case_subjects (
    case_id   uuid NOT NULL REFERENCES kyc_cases (case_id),
    entity_id uuid NOT NULL REFERENCES entities (entity_id),
    role      text NOT NULL,
    PRIMARY KEY (case_id, entity_id, role)
);
CREATE INDEX IF NOT EXISTS case_subjects_by_entity ON case_subjects (entity_id);

-- A paper that a case asks for.
CREATE TABLE IF NOT EXISTS requirements (
    requirement_id uuid NOT NULL PRIMARY KEY,
    case_id        uuid NOT NULL REFERENCES kyc_cases (case_id),
    entity_id      uuid REFERENCES entities (entity_id),
    doc_type       text NOT NULL,
    required       boolean NOT NULL DEFAULT true,
    max_age_days   integer CHECK (max_age_days > 0),
    document_id    uuid REFERENCES documents (document_id), -- the paper that meets it
    status         text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'MET', 'WAIVED'))
);
CREATE INDEX IF NOT EXISTS requirements_by_case ON requirements (case_id);
CREATE INDEX IF NOT EXISTS requirements_by_entity ON requirements (entity_id);
CREATE INDEX IF NOT EXISTS requirements_by_document ON requirements (document_id);

-- The review of one entity within a case.
CREATE TABLE IF NOT EXISTS workstreams (
    workstream_id        uuid NOT NULL PRIMARY KEY,
    case_id              uuid NOT NULL REFERENCES kyc_cases (case_id),
    entity_id            uuid NOT NULL REFERENCES entities (entity_id),
    discovery_reason     text,
    ownership_percentage numeric CHECK (ownership_percentage BETWEEN 0 AND 100),
    is_ubo               boolean NOT NULL DEFAULT false,
    status               text NOT NULL DEFAULT 'PENDING'
);
CREATE UNIQUE INDEX IF NOT EXISTS workstreams_by_subject ON workstreams (case_id, entity_id);
CREATE INDEX IF NOT EXISTS workstreams_by_entity ON workstreams (entity_id);

-- A search in watch lists: of a workstream's entity, as often as needed, or of a case as a whole, once a type.
CREATE TABLE IF NOT EXISTS screenings (
    screening_id   uuid NOT NULL PRIMARY KEY,
    workstream_id  uuid REFERENCES workstreams (workstream_id),
    case_id        uuid REFERENCES kyc_cases (case_id),
    screening_type text NOT NULL,
    status         text NOT NULL DEFAULT 'PENDING',
    result_summary text,
    CHECK ((workstream_id IS NULL) <> (case_id IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS screenings_by_case ON screenings (case_id, screening_type);
CREATE INDEX IF NOT EXISTS screenings_by_workstream ON screenings (workstream_id);

-- What a CBU may trade. Market XXXX is ISO 10383 for "no market": instruments traded between two parties.
CREATE TABLE IF NOT EXISTS cbu_universe (
    universe_id      uuid NOT NULL PRIMARY KEY,
    cbu_id           uuid NOT NULL REFERENCES cbus (cbu_id),
    instrument_class text NOT NULL,
    market           text NOT NULL DEFAULT 'XXXX',
    currencies       text[],
    settlement_types text[]
);
CREATE UNIQUE INDEX IF NOT EXISTS cbu_universe_by_market ON cbu_universe (cbu_id, instrument_class, market);

-- Standing settlement instructions: the accounts that a trade settles over.
CREATE TABLE IF NOT EXISTS ssis (
    ssi_id              uuid NOT NULL PRIMARY KEY,
    cbu_id              uuid NOT NULL REFERENCES cbus (cbu_id),
    name                text NOT NULL,
    ssi_type            text NOT NULL,
    safekeeping_account text,
    safekeeping_bic     text,
    cash_account        text,
    cash_bic            text,
    cash_currency       text CHECK (length(cash_currency) = 3),
    pset_bic            text, -- place of settlement
    effective_date      date,
    status              text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'ACTIVE', 'SUSPENDED'))
);
CREATE UNIQUE INDEX IF NOT EXISTS ssis_by_name ON ssis (cbu_id, name);

-- Which instruction a trade takes: the matching rule with the lowest priority number; an empty criterion matches all.
CREATE TABLE IF NOT EXISTS booking_rules (
    rule_id          uuid NOT NULL PRIMARY KEY,
    cbu_id           uuid NOT NULL REFERENCES cbus (cbu_id),
    ssi_id           uuid NOT NULL REFERENCES ssis (ssi_id),
    name             text NOT NULL,
    priority         integer NOT NULL DEFAULT 100 CHECK (priority >= 0),
    instrument_class text,
    market           text,
    currency         text CHECK (length(currency) = 3),
    settlement_type  text
);
CREATE UNIQUE INDEX IF NOT EXISTS booking_rules_by_name ON booking_rules (cbu_id, name);
CREATE INDEX IF NOT EXISTS booking_rules_by_ssi ON booking_rules (ssi_id);
