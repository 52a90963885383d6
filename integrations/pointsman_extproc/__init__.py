"""An Envoy external processor that asks Pointsman: `pointsman ext-proc`.

It stands beside an Envoy and puts the model that Pointsman decides for into requests for a tier.
Whole bodies stay here; Pointsman is asked with bounded prefixes, through `pointsman_client`. The
way of one request: `processor` -> `head` -> `choosing` -> `body` -> `answers`.
"""
