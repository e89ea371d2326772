"""Moving data in and out: from other services, and from one Monotron to another."""
