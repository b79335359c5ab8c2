"""What single stores do beyond the conformance suite."""
