"""What the organs hold: enzymes and their maturation, microsomal protein, plasma proteins."""
