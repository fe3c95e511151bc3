"""What Careline knows about the business: no GraphQL, no web server, no message broker."""
