"""The only place that knows both the wire's names and ours.

`requests` reads what callers ask into intents and queries; `sessions`, `sheets`, `executions`, `catalogs` write what
the engine answers as messages; `form`, `values`, `enums` are what they are made with. Nothing here awaits anything.
"""
