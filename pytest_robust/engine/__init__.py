"""One pass per shift, the store of measurements, and the rule that items pull what they need."""
