"""A stand-in for the OKX v5 exchange: its own process, REST and WebSocket, no Django."""
