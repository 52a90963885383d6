"""HTTP listener: every RPC over Connect and gRPC-Web, with JSON or protobuf, beside gRPC."""
