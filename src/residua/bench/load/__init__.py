"""What a server does under load: requests arrive at given rates, whether it keeps up or not."""
