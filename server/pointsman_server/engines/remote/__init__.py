"""Shared base of remote engines: HTTP client, deadline, key, bounds and failure stages.

A remote engine is a codec (`remote.engine.RemoteCodec`) over these parts, and a line in
`bootstrap.engines`: see docs/write-an-engine.md.
"""
