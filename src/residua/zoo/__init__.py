"""The ResNet series: one table of architectures, one network class, and the published weights."""
