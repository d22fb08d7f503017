# SPDX-License-Identifier: Apache-2.0
# docker build -t microd .
# docker run -p 127.0.0.1:8080:8080 -e MICROD_ALLOW_ANONYMOUS=1 -v micro-state:/var/lib/micro microd
#
# It listens on every address of the container, so it does not start without API keys (a mounted
# file in MICROD_API_KEYS, or one key in MICROD_API_KEY) or MICROD_ALLOW_ANONYMOUS=1, which is for
# ports that are published to loopback or a private network. The root may be read-only.
#
# Serves the demo model. For your own: -v /path/of/models:/models -e MICROD_MODEL=/models/own.safetensors
# Every option of microd --help has its MICROD_ variable.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/install-packages.sh deploy/
RUN deploy/install-packages.sh build && rm -rf /var/lib/apt/lists/*
COPY CMakeLists.txt CMakePresets.json ./
COPY schema schema
COPY core core
COPY server server
RUN cmake --preset release -DMICRO_TESTS=OFF \
	&& cmake --build --preset release \
	&& cmake --install build/release --prefix /out --strip
COPY deploy/demo-data.py deploy/
RUN deploy/demo-data.py demo \
	&& mkdir -p /out/share/micro \
	&& /out/bin/micro-model train --heads 8 --data demo/train.jsonl --out /out/share/micro/demo.safetensors

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="microd" \
	org.opencontainers.image.description="Reward model server that learns what each user prefers" \
	org.opencontainers.image.version="0.1.0" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.base.name="debian:bookworm-slim"
COPY deploy/install-packages.sh /tmp/
RUN /tmp/install-packages.sh runtime && rm -rf /var/lib/apt/lists/* /tmp/install-packages.sh
# a fixed number, so that whoever mounts a folder knows whose it must be
RUN useradd --system --uid 10001 --home-dir /var/lib/micro --shell /usr/sbin/nologin micro \
	&& install -d -o micro -g micro -m 0750 /var/lib/micro
COPY --from=build /out/ /usr/local/
USER 10001
ENV MICROD_MODEL=/usr/local/share/micro/demo.safetensors \
	MICROD_STATE=/var/lib/micro/micro.db \
	MICROD_LISTEN=0.0.0.0 \
	MICROD_PORT=8080
VOLUME /var/lib/micro
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["bash", "-c", \
	"exec 3<>/dev/tcp/127.0.0.1/$MICROD_PORT && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["microd"]
