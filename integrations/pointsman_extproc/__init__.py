"""An external processor for Envoy that calls Pointsman: `pointsman ext-proc`.

It runs beside an Envoy and sets the decided model in requests for a tier. Whole bodies stay here;
the service gets bounded prefixes, through `pointsman_client`. One request goes through `processor`,
`head` and `paths`, then `choosing`, `reading` and `answers`.
"""
