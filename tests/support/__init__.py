"""What several tests and benchmarks share: small servers on loopback and clips drawn on the spot."""
