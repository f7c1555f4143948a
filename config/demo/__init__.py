"""The whole product on one machine: two desks, a simulated exchange, and one signal to watch."""
