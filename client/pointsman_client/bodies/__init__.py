"""From the request body of a gateway to the facts that a routing request carries. No gRPC here."""
