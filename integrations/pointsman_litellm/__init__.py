"""Hooks for a LiteLLM proxy that call Pointsman: `pointsman_litellm.hook.PointsmanHook`.

LiteLLM imports them; it is no dependency of this package.
"""
