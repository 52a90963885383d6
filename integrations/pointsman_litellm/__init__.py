"""A LiteLLM proxy that asks Pointsman: `pointsman_litellm.hook.PointsmanHook`.

It is imported by LiteLLM, which is no dependency of this package.
"""
