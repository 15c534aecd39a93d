"""How a request comes in and its answer goes out, by our protocol or by ASGI; what it may weigh and how long it may take."""
