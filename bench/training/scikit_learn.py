"""scikit-learn's side of `cargo bench --bench training`.

scikit_learn.py FILE COLUMNS CLUSTERS: the file holds little-endian doubles, row after row. Says its versions
in one line of JSON when they are in memory, then answers each line `{"seed": .., "n_init": ..}` with a line
`{"seconds": .., "inertia": ..}` of a fit, until its input ends.
"""

import json
import platform
import sys
import time

try:
    import numpy
    import sklearn
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_info
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)  # IS_MISSING of scikit_learn.rs


def say(answer):
    print(json.dumps(answer), flush=True)


def openmp_threads():
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "openmp"]
    return pools[0]["num_threads"] if pools else 1


def fit(rows, clusters, seed, n_init):
    model = KMeans(n_clusters=clusters, n_init=n_init, random_state=seed)
    started = time.perf_counter()
    model.fit(rows)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "inertia": float(model.inertia_)}


def main():
    path, columns, clusters = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rows = numpy.fromfile(path, dtype="<f8").reshape(-1, columns)
    say(
        {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scikit_learn": sklearn.__version__,
            "threads": openmp_threads(),
            "rows": len(rows),
        }
    )
    for line in sys.stdin:
        command = json.loads(line)
        say(fit(rows, clusters, command["seed"], command["n_init"]))


main()
