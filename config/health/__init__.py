"""Whether this installation lives, may serve and works: for load balancers and monitors."""
