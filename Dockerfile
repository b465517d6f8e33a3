# The editor and the HTTP API; see docs/deploy.md. Needs LACUNA_TOKEN when it is run.
FROM python:3.12-slim

COPY pyproject.toml README.md LICENSE constraints.txt /src/
COPY src /src/src
COPY recipes /src/recipes
RUN python -m pip install --no-cache-dir --constraint /src/constraints.txt "/src[web]" && rm -rf /src

ENV LACUNA_PROJECTS=/data NUMBA_CACHE_DIR=/var/cache/lacuna PYTHONUNBUFFERED=1
RUN useradd --system --home-dir /nonexistent lacuna && mkdir -p /data /var/cache/lacuna \
    && chown lacuna /data /var/cache/lacuna
USER lacuna
# Compile the kernels once; a machine with another processor compiles them again in /tmp or in memory.
RUN python -c "import numpy as np, lacuna; p = np.zeros((160, 160, 3), np.uint8); m = np.zeros((160, 160), bool); \
    m[60:100, 60:100] = True; lacuna.inpaint(p, m, 'patchmatch'); lacuna.inpaint(p, m, 'biharmonic')"

VOLUME /data
EXPOSE 8765
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/api/v1/health', timeout=5)"]
CMD ["lacuna", "web", "--host", "0.0.0.0", "--no-open"]
