//! Where what transactions have written for others is read: the topic, the embedded log of a stopped instance, or the
//! instance that holds that log.

use crate::cli::compose::connection;
use crate::cli::instance::Instance;
use crate::cli::reading::log;
use crate::config::bus::BusKind;
use crate::config::settings::Settings;
use crate::log::Error;
use crate::log::kafka::KafkaOutputs;
use crate::log::outputs::OutputKind;
use crate::log::outputs::OutputReader;
use crate::store::directory::Holder;
use crate::store::directory::StoreDirectory;

/// Where to read.
pub(super) enum Place {
    /// A topic, or the log.
    Log(Box<dyn OutputReader>),
    /// A running instance.
    Instance(Instance),
}

/// The place of the settings. The command has a name, which the brokers see.
pub(super) fn place(settings: &Settings, kind: OutputKind, name: &str) -> anyhow::Result<Place> {
    if settings.bus == BusKind::Kafka {
        let log = KafkaOutputs::open(connection(settings, name), kind)?;
        return Ok(Place::Log(Box::new(log)));
    }
    match StoreDirectory::holder(&settings.store.directory)? {
        Holder::None => Ok(Place::Log(Box::new(log(settings, kind)?))),
        Holder::Instance {
            http_address: Some(address),
        } => Ok(Place::Instance(Instance::open(address, &settings.http)?)),
        Holder::Instance { http_address: None } => Err(Error::Unusable {
            path: settings.store.directory.display().to_string(),
            problem: "a running command holds it and does not answer HTTP: wait until it has ended, or start the \
                      service with http.address"
                .to_owned(),
        }
        .into()),
    }
}
