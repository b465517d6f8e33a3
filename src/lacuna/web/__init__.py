"""The editor and the HTTP API: ``lacuna web``.

Thin doors over the public calls. The server process (`lacuna.web.app`) never decodes what a client sent:
uploads are opened and fills are run in worker processes (`lacuna.web.worker`) with limits, which may die
without harm.

A project (`lacuna.web.project`) is an original and the steps that were taken; nothing is ever overwritten.
What the steps lead to is computed in `lacuna.web.replay`, which ``lacuna replay`` shares with the server.
Only the modules that speak HTTP import FastAPI.
"""
