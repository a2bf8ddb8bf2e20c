//! The listener of a simulated provider: HTTP/1.1, with connections that can be reset on purpose.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::presets::Protocol;

use super::{
    control, gateway,
    kubo::{self, Body, Played},
    psa,
    world::World,
};

/// How long to wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener at work. Dropping it resets every connection and gives the port back.
pub(super) struct Running {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(super) async fn start(world: Arc<World>, address: SocketAddr) -> io::Result<(SocketAddr, Self)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let running = Self { stop: CancellationToken::new(), tasks: TaskTracker::new() };
        let (stop, tasks) = (running.stop.clone(), running.tasks.clone());
        running.tasks.spawn(async move {
            stop.run_until_cancelled(accept(&listener, &world, &stop, &tasks)).await;
        });
        Ok((bound, running))
    }

    /// Returns once the port is free and no connection is left.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: &TcpListener, world: &Arc<World>, stop: &CancellationToken, tasks: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, world.clone(), stop.child_token()));
            }
            // Out of descriptors, most likely: it passes when calls in flight end.
            Err(error) => {
                tracing::debug!(%error, "the simulator could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, world: Arc<World>, reset: CancellationToken) {
    let answer = service_fn(|request| respond(&world, &reset, request));
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        ended = &mut connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a caller of the simulator went away");
            }
        }
        () = reset.cancelled() => {
            let stream = connection.into_parts().io.into_inner();
            if let Err(error) = stream.set_zero_linger() {
                tracing::debug!(%error, "the simulator could only close a connection that it wanted to reset");
            }
        }
    }
}

async fn respond(
    world: &Arc<World>,
    reset: &CancellationToken,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path().starts_with(control::PREFIX) {
        return Ok(kubo::whole(control::answer(world, request).await));
    }
    let is_for_gateway = request.uri().path().starts_with(gateway::PREFIX);
    let played = match world.protocol {
        _ if is_for_gateway => gateway::answer(world, request).await.into(),
        Protocol::Psa => psa::answer(world, request).await.into(),
        Protocol::Kubo => kubo::answer(world, request).await,
    };
    match played {
        Played::Answer(answer) => return Ok(answer),
        Played::Reset => reset.cancel(),
        Played::Hang => {}
    }
    std::future::pending().await
}
