"""The only room that knows gRPC and the stubs: decode, decide, encode."""
