"""From a request body, as the gateway got it, to what the service is asked with. No gRPC here."""
