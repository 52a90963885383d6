"""Files of the semantic reader; `pointsman_server.engines.local.readers.semantic` reads them."""
