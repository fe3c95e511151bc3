"""A worker process as `careline worker` starts it, which also knows the benchmark's kinds of run."""

import bench.kinds  # noqa: F401
from api import logs, loop
from api.serving import work
from domain.settings import from_environment

if __name__ == "__main__":
    settings = from_environment()
    logs.configure(settings.log_style)
    loop.run(work(settings))
