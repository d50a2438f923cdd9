"""The catalog's part of the wire: fields as test_protos.py has them."""

CATALOG_FIELDS = {
    "SearchEntitiesRequest": "entity_type query limit:int32",
    "SearchEntitiesResponse": "candidates:Candidate*",
    "ListVerbsRequest": "page_size:int32 page_token",
    "ListVerbsResponse": "verbs:Verb* next_page_token",
    "GetCatalogResponse": "catalog:Catalog",
    "Catalog": "digest version:int32 source_yaml entity_types:EntityType* verb_count:int32",
    "EntityType": "name table key_column key_type display search* natural_key*",
    "Verb": ("name description kind entity_type table arguments:VerbArgument* binds:bool deprecated:bool replaced_by"),
    "VerbArgument": "name type required:bool default_value? aliases* values* entity_type",
}
