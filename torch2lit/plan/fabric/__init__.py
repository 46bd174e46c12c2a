"""What Lightning Fabric sets up in a script whose control flow stays the user's, and where: mechanism 5."""

from .planner import FabricPlan, FabricPlanner

__all__ = ["FabricPlan", "FabricPlanner"]
