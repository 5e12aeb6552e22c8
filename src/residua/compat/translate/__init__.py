"""From a PaddleClas configuration to a recipe, part by part."""
