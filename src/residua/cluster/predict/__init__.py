"""``residua predict --cluster``: any number of pictures, decoded and computed by many machines."""
