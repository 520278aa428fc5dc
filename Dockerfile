# The full image, not slim: OpenSSL and librdkafka are built from source with its perl, make and compilers.
FROM rust:1.90.0-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked && strip target/release/segstream

# The same Debian as above, for the same C library.
FROM debian:bookworm-20260824-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*

# A fixed number, so that the owner of a mounted directory can be set from outside.
RUN groupadd --gid 10001 segstream \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin segstream \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/segstream

# Each container makes its own token, because a default token would be public.
RUN printf '%s\n' \
        '#!/bin/sh' \
        'set -eu' \
        'file=${SEGSTREAM_HTTP__TOKEN_FILE:-}' \
        'if [ -n "$file" ] && [ ! -s "$file" ]; then' \
        '    (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d " \n" >"$file.new")' \
        '    mv "$file.new" "$file"' \
        'fi' \
        'exec segstream "$@"' \
        >/usr/local/bin/segstream-entrypoint \
    && printf '%s\n' \
        '#!/bin/bash' \
        'set -eu' \
        'address=${SEGSTREAM_HTTP__ADDRESS:-:8080}' \
        'exec 3<>"/dev/tcp/127.0.0.1/${address##*:}"' \
        'printf "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3' \
        'read -r _ status _ <&3' \
        '[ "$status" = 200 ]' \
        >/usr/local/bin/segstream-ready \
    && chmod 0755 /usr/local/bin/segstream-entrypoint /usr/local/bin/segstream-ready
COPY --from=build /build/target/release/segstream /usr/local/bin/segstream
COPY LICENSE THIRD_PARTY_NOTICES.txt /usr/share/doc/segstream/

ENV SEGSTREAM_STORE__DIRECTORY=/var/lib/segstream/store
USER 10001:10001
WORKDIR /var/lib/segstream
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["segstream-ready"]
ENTRYPOINT ["segstream-entrypoint"]
CMD ["run"]
