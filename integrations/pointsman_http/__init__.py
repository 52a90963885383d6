"""Decisions inside a Python process, for requests over HTTP.

`asgi` is a middleware for a gateway on ASGI (FastAPI, Starlette); `sdk` has HTTP clients for the
official SDKs of OpenAI and Anthropic. Both use `planning`.
"""
