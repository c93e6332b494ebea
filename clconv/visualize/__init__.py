"""What is inside a network: filters, feature maps, receptive fields, what answers depend on, what neurons look for."""

from clconv.visualize.attribution import best_class, class_activation_map, occlusion, saliency
from clconv.visualize.features import feature_maps, first_filters, levels
from clconv.visualize.maximize import maximize
from clconv.visualize.objective import layers
from clconv.visualize.patches import Patch, best_patches
from clconv.visualize.pictures import as_picture, grid
from clconv.visualize.receptive import ReceptiveField, receptive_field

__all__ = [
    "Patch",
    "ReceptiveField",
    "as_picture",
    "best_class",
    "best_patches",
    "class_activation_map",
    "feature_maps",
    "first_filters",
    "grid",
    "layers",
    "levels",
    "maximize",
    "occlusion",
    "receptive_field",
    "saliency",
]
