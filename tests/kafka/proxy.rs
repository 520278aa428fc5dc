//! A proxy between clients and a broker. It reads the requests, so that a test decides what becomes of those of one
//! client: passed on, held, cut off, or done without an answer. It can also slow down what a client is sent.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::kafka::Node;

/// Between two looks at what becomes of a held request.
const HOLD_LOOK: Duration = Duration::from_millis(5);
/// Between two parts of a slow answer.
const SLOW_STEP: Duration = Duration::from_millis(50);
const SLOW_STEPS_PER_SECOND: usize = 20;

/// Keys of requests, from the Kafka protocol.
pub const PRODUCE: i16 = 0;
pub const METADATA: i16 = 3;
pub const FIND_COORDINATOR: i16 = 10;
pub const JOIN_GROUP: i16 = 11;
pub const HEARTBEAT: i16 = 12;
pub const SYNC_GROUP: i16 = 14;
pub const INIT_PRODUCER_ID: i16 = 22;
pub const ADD_PARTITIONS_TO_TXN: i16 = 24;
pub const ADD_OFFSETS_TO_TXN: i16 = 25;
pub const END_TXN: i16 = 26;
pub const TXN_OFFSET_COMMIT: i16 = 28;

/// The error that says that a topic is not known.
const UNKNOWN_TOPIC: [u8; 2] = [0, 3];

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reaches the broker, and the answer the client.
    Pass,
    /// It waits until the rule says something else; what follows it on its connection waits too.
    Hold,
    /// Its connection ends, and it does not reach the broker.
    Cut,
    /// It reaches the broker, and its connection ends instead of the answer.
    LoseAnswer,
}

/// A request of a client.
#[derive(Debug)]
pub struct Request {
    /// The number of its connection.
    pub connection: u64,
    pub api: i16,
    version: i16,
    correlation: i32,
    client_id: String,
    frame: Vec<u8>,
}

impl Request {
    fn parse(connection: u64, frame: Vec<u8>) -> Self {
        let short = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let length = usize::try_from(short(8)).unwrap_or(0);
        Self {
            connection,
            api: short(0),
            version: short(2),
            correlation: i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]),
            client_id: String::from_utf8_lossy(&frame[10..10 + length]).into_owned(),
            frame,
        }
    }

    /// Whether a text stands in the request, such as the id of a member or of a transaction.
    pub fn names(&self, text: &str) -> bool {
        let mut windows = self.frame.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    }
}

/// An answer that the client did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostAnswer {
    pub api: i16,
    /// The error code, where the answer begins with it after the time of throttling.
    pub error: i16,
}

type Rule = dyn Fn(&Request) -> Fate + Send + Sync;

#[derive(Default)]
struct Shared {
    /// By client id.
    rules: Mutex<BTreeMap<String, Arc<Rule>>>,
    /// Bytes a second of a connection, by client id.
    rates: Mutex<BTreeMap<String, usize>>,
    /// How long each answer takes, by client id.
    latencies: Mutex<BTreeMap<String, Duration>>,
    /// The topic that the broker seems not to know, by client id.
    hidden: Mutex<BTreeMap<String, String>>,
    /// Answers from which a topic was hidden.
    hidings: AtomicU64,
    lost: Mutex<Vec<(String, LostAnswer)>>,
    connections: AtomicU64,
}

/// What the two threads of a connection know.
#[derive(Default)]
struct Link {
    client_id: Mutex<String>,
    /// Requests whose answers are lost, by correlation: their key and version.
    losing: Mutex<BTreeMap<i32, (i16, i16)>>,
    /// Requests for metadata, by correlation.
    describing: Mutex<BTreeSet<i32>>,
}

/// A node and the proxy before it.
pub struct Proxy {
    pub node: Node,
    /// The address of the proxy.
    pub brokers: String,
    shared: Arc<Shared>,
}

/// The proxy of the binary; its rules are those of one client each, so tests do not disturb each other.
pub fn proxy() -> &'static Proxy {
    static PROXY: OnceLock<Proxy> = OnceLock::new();
    PROXY.get_or_init(Proxy::start)
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let node = Node::start_behind(port);
        let port_behind = node.port_behind.unwrap();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, port_behind));
                // Without a broker the client's connection ends.
                if let (Ok(client), Ok(broker)) = (client, broker) {
                    connect(&of_thread, client, broker);
                }
            }
        });
        Self {
            node,
            brokers: format!("127.0.0.1:{port}"),
            shared,
        }
    }

    /// From now on the rule decides over the requests of an instance.
    pub fn rule(&self, instance: &str, rule: impl Fn(&Request) -> Fate + Send + Sync + 'static) {
        let mut rules = self.shared.rules.lock().unwrap();
        rules.insert(client_id(instance), Arc::new(rule));
    }

    /// The requests of an instance pass again.
    pub fn pass(&self, instance: &str) {
        let mut rules = self.shared.rules.lock().unwrap();
        rules.remove(&client_id(instance));
    }

    /// Each connection of an instance gets so many bytes a second; `None`: all.
    pub fn slow_down(&self, instance: &str, bytes_per_second: Option<usize>) {
        let mut rates = self.shared.rates.lock().unwrap();
        match bytes_per_second {
            Some(bytes) => rates.insert(client_id(instance), bytes),
            None => rates.remove(&client_id(instance)),
        };
    }

    /// Each answer to an instance takes so much longer.
    pub fn delay(&self, instance: &str, latency: Duration) {
        let mut latencies = self.shared.latencies.lock().unwrap();
        latencies.insert(client_id(instance), latency);
    }

    /// An instance is told that there is no topic of this name; `None`: the truth.
    pub fn hide(&self, instance: &str, topic: Option<&str>) {
        let mut hidden = self.shared.hidden.lock().unwrap();
        match topic {
            Some(topic) => hidden.insert(client_id(instance), topic.to_owned()),
            None => hidden.remove(&client_id(instance)),
        };
    }

    /// How many answers a topic was hidden from.
    pub fn hidings(&self) -> u64 {
        self.shared.hidings.load(Ordering::Relaxed)
    }

    /// The answers that an instance did not get.
    pub fn lost_answers(&self, instance: &str) -> Vec<LostAnswer> {
        let lost = self.shared.lost.lock().unwrap();
        let of_instance = lost.iter().filter(|(id, _)| *id == client_id(instance));
        of_instance.map(|(_, answer)| *answer).collect()
    }
}

/// The client id of all clients of an instance.
fn client_id(instance: &str) -> String {
    format!("segstream-{instance}")
}

fn connect(shared: &Arc<Shared>, client: TcpStream, broker: TcpStream) {
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
    let link = Arc::new(Link::default());
    let (to_broker, to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    let ends = [client.try_clone().unwrap(), broker.try_clone().unwrap()];
    let ends = Arc::new(ends);
    let (asking, asked) = (Arc::clone(shared), Arc::clone(&link));
    let asking_ends = Arc::clone(&ends);
    client.set_nodelay(true).unwrap();
    broker.set_nodelay(true).unwrap();
    std::thread::spawn(move || {
        // Ends with the connection, by whichever side.
        drop(pass_requests(
            &asking, &asked, connection, client, to_broker,
        ));
        end(&asking_ends);
    });
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        drop(pass_answers(&shared, &link, broker, to_client));
        end(&ends);
    });
}

fn end(ends: &[TcpStream; 2]) {
    for stream in ends {
        // The other side may have ended it.
        drop(stream.shutdown(Shutdown::Both));
    }
}

fn pass_requests(
    shared: &Shared,
    link: &Link,
    connection: u64,
    mut from: TcpStream,
    mut to: TcpStream,
) -> std::io::Result<()> {
    loop {
        let request = Request::parse(connection, read_frame(&mut from)?);
        link.client_id
            .lock()
            .unwrap()
            .clone_from(&request.client_id);
        match decided(shared, &request) {
            Fate::Pass | Fate::Hold => {}
            Fate::Cut => return Ok(()),
            Fate::LoseAnswer => {
                let mut losing = link.losing.lock().unwrap();
                losing.insert(request.correlation, (request.api, request.version));
            }
        }
        if request.api == METADATA {
            link.describing.lock().unwrap().insert(request.correlation);
        }
        write_frame(&mut to, &request.frame)?;
    }
}

/// What becomes of a request in the end.
fn decided(shared: &Shared, request: &Request) -> Fate {
    loop {
        let rules = shared.rules.lock().unwrap();
        let rule = rules.get(&request.client_id).cloned();
        drop(rules);
        match rule.map_or(Fate::Pass, |rule| rule(request)) {
            Fate::Hold => std::thread::park_timeout(HOLD_LOOK),
            fate => return fate,
        }
    }
}

fn pass_answers(
    shared: &Shared,
    link: &Link,
    mut from: TcpStream,
    mut to: TcpStream,
) -> std::io::Result<()> {
    loop {
        let mut frame = read_frame(&mut from)?;
        let correlation = i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        let client_id = link.client_id.lock().unwrap().clone();
        let losing = link.losing.lock().unwrap().remove(&correlation);
        if let Some((api, version)) = losing {
            // Of EndTxn: from version 3 on the header has a byte more.
            let at = if version >= 3 { 9 } else { 8 };
            let error = i16::from_be_bytes([frame[at], frame[at + 1]]);
            let answer = LostAnswer { api, error };
            shared.lost.lock().unwrap().push((client_id, answer));
            return Ok(());
        }
        let is_described = link.describing.lock().unwrap().remove(&correlation);
        let hidden = shared.hidden.lock().unwrap().get(&client_id).cloned();
        if let (true, Some(topic)) = (is_described, hidden) {
            let has_hidden = hide_in(&mut frame, &topic);
            shared
                .hidings
                .fetch_add(u64::from(has_hidden), Ordering::Relaxed);
        }
        let latency = shared.latencies.lock().unwrap().get(&client_id).copied();
        if let Some(latency) = latency {
            std::thread::park_timeout(latency);
        }
        to.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes())?;
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            let rate = shared.rates.lock().unwrap().get(&client_id).copied();
            let Some(rate) = rate else {
                to.write_all(rest)?;
                break;
            };
            let (part, later) = rest.split_at(rest.len().min(rate / SLOW_STEPS_PER_SECOND));
            to.write_all(part)?;
            rest = later;
            std::thread::park_timeout(SLOW_STEP);
        }
    }
}

/// In metadata from version 9 on, a topic is an error, the length of its name and one, its name, and what follows.
fn hide_in(frame: &mut [u8], topic: &str) -> bool {
    let mut name = vec![u8::try_from(topic.len() + 1).unwrap()];
    name.extend(topic.as_bytes());
    let mut windows = frame.windows(name.len());
    let Some(at) = windows.position(|window| window == name) else {
        return false;
    };
    frame[at - UNKNOWN_TOPIC.len()..at].copy_from_slice(&UNKNOWN_TOPIC);
    true
}

fn read_frame(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut size = [0; 4];
    from.read_exact(&mut size)?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn write_frame(to: &mut TcpStream, frame: &[u8]) -> std::io::Result<()> {
    let size = u32::try_from(frame.len()).unwrap().to_be_bytes();
    to.write_all(&[size.as_slice(), frame].concat())
}

/// The connection of a group's member to its coordinator, known by the requests on it that name the member.
#[derive(Clone, Default)]
pub struct MemberConnections(Arc<Mutex<BTreeSet<u64>>>);

impl MemberConnections {
    /// Whether a request is on a connection of a member.
    pub fn have(&self, request: &Request, member: &str) -> bool {
        let mut known = self.0.lock().unwrap();
        // Not SyncGroup: in it the leader names all members.
        let is_own = [JOIN_GROUP, HEARTBEAT].contains(&request.api);
        if is_own && request.names(member) {
            known.insert(request.connection);
        }
        known.contains(&request.connection)
    }
}
