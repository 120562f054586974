# One image for all roles; what a container does is its first argument: processor, collector, injector, migrate, …
# BASE and BUILD_BASE: a Debian with Node 24, such as the official image, or one of your own.
ARG BUILD_BASE=docker.io/library/node:24-bookworm
ARG BASE=docker.io/library/node:24-bookworm-slim

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json \
 && node -e "fs.cpSync('src', 'dist', { recursive: true, filter: (file) => !/(\.m?ts|\.py|setup\.mjs)$/.test(file) })" \
 && npm prune --omit=dev --omit=optional --no-audit --no-fund

FROM ${BASE}
# The init container of injected pods redirects connections.
RUN apt-get update \
 && apt-get install -y --no-install-recommends iptables ca-certificates \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json package-lock.json LICENSE ./
COPY proto proto
COPY envoy envoy
RUN printf '#!/bin/sh\nexec node --max-semi-space-size=64 /app/dist/main.js "$@"\n' > /usr/local/bin/weir \
 && chmod 755 /usr/local/bin/weir
ENV NODE_ENV=production
USER 10001:10001
ENTRYPOINT ["weir"]
CMD ["--help"]
