"""What looks at pictures. Each detector's labels are hazards of the catalogue, or it is refused."""
