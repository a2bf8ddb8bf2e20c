//! pin/add: an answer that goes on with a line every so often until the node has everything.

use futures::{Stream, stream};

use super::{super::fate::PinAfter, *};

/// The time between lines; a node's is half a second.
const BEAT: Duration = Duration::from_millis(20);

/// One fetch.
struct Adding {
    world: Arc<World>,
    asked: Asked,
    doomed: bool,
    began: Timestamp,
    lines: u64,
    ends: Ends,
}

#[derive(PartialEq, Eq)]
enum Ends {
    NotYet,
    Trailer,
    Over,
}

pub(super) fn start(world: &Arc<World>, asked: Result<Asked, String>) -> Response<Body> {
    let asked = match asked {
        Ok(asked) => asked,
        Err(message) => return failure(500, &message),
    };
    let (began, doomed) = (world.now(), world.inside().dooms(&asked));
    let adding = Adding { world: world.clone(), asked, doomed, began, lines: 0, ends: Ends::NotYet };
    let mut answer = Response::new(StreamBody::new(adding.lines()).boxed_unsync());
    answer.headers_mut().insert(header::TRAILER, HeaderValue::from_static("X-Stream-Error"));
    answer
}

impl Adding {
    fn lines(self) -> impl Stream<Item = Result<Frame<Bytes>, io::Error>> {
        stream::unfold(self, |mut adding| async move { adding.next().await.map(|frame| (frame, adding)) })
    }

    /// The next line; the stream is dropped with its connection, and what is dropped pins nothing.
    async fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        match self.ends {
            Ends::Over => return None,
            Ends::Trailer => {
                self.ends = Ends::Over;
                let mut trailers = HeaderMap::new();
                let why = HeaderValue::from_static("pin: unrecognized object type: failed on purpose");
                trailers.insert("x-stream-error", why);
                return Some(Ok(Frame::trailers(trailers)));
            }
            Ends::NotYet => {}
        }
        if self.lines > 0 {
            sleep(BEAT).await;
        }
        self.lines += 1;
        if self.world.is_down() {
            self.ends = Ends::Over;
            return Some(Err(io::Error::other("the simulator is down")));
        }
        let now = self.world.now();
        let mut inside = self.world.inside();
        let has_it = inside.kubo_pin(&self.asked.cid).is_some_and(|(_, direct)| !direct);
        let is_there = has_it || inside.behaviour.pin_after.is_over(now.since(self.began));
        let line = if is_there && !self.doomed {
            inside.kubo_pinned(&self.asked, now);
            self.ends = Ends::Over;
            json!({ "Pins": [self.asked.cid.as_str()] })
        } else if is_there {
            self.ends = Ends::Trailer;
            json!({})
        } else if inside.behaviour.pin_after == PinAfter::Never {
            // Nobody has it.
            json!({})
        } else {
            json!({ "Progress": self.lines })
        };
        Some(Ok(Frame::data(Bytes::from(format!("{line}\n")))))
    }
}
