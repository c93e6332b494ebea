"""Other frameworks' networks on clconv. Nothing here imports a framework before it is needed."""
