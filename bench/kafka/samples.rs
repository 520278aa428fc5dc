//! Records that a run wrote, for the pipe to write again: records of its own making would be compressed to nothing, and
//! the pipe would look cheaper than it is.

use rdkafka::Message;
use rdkafka::message::Headers;
use serde::Deserialize;
use serde::Serialize;

/// More than the window of the compression holds, so that no record is found again in it.
const SAMPLES_MAX: usize = 4000;

/// A record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Records drawn from a stream, each with the same chance.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    pub drawn: Vec<Sample>,
    seen: u64,
    chance: u64,
}

impl Samples {
    pub fn offer(&mut self, message: &impl Message) {
        self.seen += 1;
        let place = if self.drawn.len() < SAMPLES_MAX {
            self.drawn.len()
        } else {
            // A step of Knuth's MMIX generator; its high bits are the good ones.
            self.chance = self
                .chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((self.chance >> 33) % self.seen) as usize
        };
        if place >= SAMPLES_MAX {
            return;
        }
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        let sample = Sample {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        };
        if place == self.drawn.len() {
            self.drawn.push(sample);
        } else {
            self.drawn[place] = sample;
        }
    }
}
