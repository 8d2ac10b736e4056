//! What the tests of the model and of the view are made of.

use crate::{
    client::Event,
    protocol::{Message, SchemaMessage, WireSample, WireValues},
};

/// A host that says hello; its ring is of this epoch.
pub(super) fn hello(epoch: u64) -> Event {
    let text = format!(
        r#"{{"type":"hello","protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{{"name":"web-1.example.org",
        "os":"Debian GNU/Linux 12","kernel":"6.1.0","cpus":2,"boot_id":"x","labels":{{"site":"fra1"}}}},
        "epoch":"{epoch:016x}","interval_ms":1000,"oldest_seq":1,"next_seq":1,"heartbeat_ms":15000}}"#
    );
    let Ok(Message::Hello(hello)) = Message::parse(text.as_bytes()) else { panic!("that is a hello: {text}") };
    Event::Hello(Box::new(hello))
}

/// CPU, memory used and in all, traffic of eth0 in and out, of a bridge, and the size of a filesystem, which is read
/// every ten seconds.
pub(super) fn schema() -> SchemaMessage {
    let series = [
        r#""system.cpu.utilization","name":"system.cpu.utilization","unit":"1","attributes":{}"#,
        r#""system.memory.usage{system.memory.state=used}","name":"system.memory.usage","unit":"By","attributes":{"system.memory.state":"used"}"#,
        r#""system.memory.limit","name":"system.memory.limit","unit":"By","attributes":{}"#,
        r#""in","name":"system.network.io","unit":"By/s","attributes":{"network.interface.name":"eth0","network.io.direction":"receive"}"#,
        r#""out","name":"system.network.io","unit":"By/s","attributes":{"network.interface.name":"eth0","network.io.direction":"transmit"}"#,
        r#""bridge","name":"system.network.io","unit":"By/s","attributes":{"network.interface.name":"br-1","network.io.direction":"receive"}"#,
        r#""system.filesystem.limit{system.filesystem.mountpoint=/}","name":"system.filesystem.limit","unit":"By","attributes":{"system.filesystem.mountpoint":"/"},"interval_ms":10000"#,
    ];
    let series = series.map(|series| format!(r#"{{"id":{series}}}"#)).join(",");
    let text = format!(r#"{{"type":"schema","revision":1,"series":[{series}]}}"#);
    let Ok(Message::Schema(schema)) = Message::parse(text.as_bytes()) else { panic!("that is a schema: {text}") };
    schema
}

/// A sample of that schema, one each second.
pub(super) fn sample(seq: u64, values: &[Option<f64>; 7]) -> WireSample {
    WireSample {
        seq,
        time: 1_795_371_870_000 + seq * 1_000,
        elapsed_ms: 1_000.0,
        missed: None,
        samples: None,
        values: WireValues::Positional(values.to_vec()),
        min: None,
        max: None,
    }
}
