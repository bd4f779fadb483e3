//! Slow calls, and calls that must not wait for them.

use crate::support::{read_http, send};
use enshrine_rpc::{
    Context, ErrorStyle, Registry, RunningServer, ServerConfig, WorkerOptions, WorkerPoolLimits,
    Workers, codes,
};
use jsonrpsee::{
    Methods,
    core::server::MethodCallback,
    types::{Id, Params},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    net::TcpStream,
    num::NonZeroUsize,
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Condition at which calls of `slow` wait until the test opens it.
#[derive(Debug, Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    /// `true` to report that reads may wait, so that they run in a pool as well.
    busy: bool,
}

impl Gate {
    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait_for(&self, waiting: usize) {
        while self.waiting.load(Ordering::SeqCst) < waiting {
            std::thread::yield_now();
        }
    }
}

impl Context for Gate {
    fn reads_may_wait(&self) -> bool {
        self.busy
    }
}

/// Test methods with one thread per pool and queues of four requests.
fn methods(busy: bool) -> (Arc<Gate>, Methods) {
    let gate = Arc::new(Gate { busy, ..Gate::default() });
    let limits = WorkerPoolLimits { threads: NonZeroUsize::MIN, queue: 4 };
    let options = WorkerOptions {
        read: limits,
        execute: limits,
        write: limits,
        wait: limits,
        ..WorkerOptions::default()
    };
    let workers = Arc::new(Workers::new(&options));
    let mut methods = Registry::new(Arc::clone(&gate), workers, ErrorStyle::Plain);
    methods.execute("slow", |gate, _| {
        gate.pass();
        Ok("done")
    });
    methods.read("quick", |_, args| args.required::<u64>());
    methods.execute("broken", |_, _| -> Result<(), _> { panic!("on purpose") });
    (gate, methods.into_methods())
}

async fn started(busy: bool) -> (Arc<Gate>, RunningServer, tempfile::TempDir) {
    let (gate, methods) = methods(busy);
    let folder = tempfile::tempdir().unwrap();
    let ipc = Some(folder.path().join("node.ipc"));
    let config = ServerConfig { port: 0, ipc, ..ServerConfig::default() };
    (gate, RunningServer::start(&config, methods).await.unwrap(), folder)
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn receive(mut stream: TcpStream) -> Value {
    read_http(&mut stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_calls_do_not_delay_reads() {
    for busy in [false, true] {
        let (gate, server, folder) = started(busy).await;
        let address = server.addresses()[0];
        let ipc = folder.path().join("node.ipc");
        let asked = Arc::clone(&gate);
        let asking = tokio::task::spawn_blocking(move || {
            let slow = send(address, &request("slow", &json!([])));
            let batch = json!([request("slow", &json!([])), request("quick", &json!([1]))]);
            let batch = send(address, &batch);
            let mut local = UnixStream::connect(ipc).unwrap();
            write!(local, "{}", request("slow", &json!([]))).unwrap();
            asked.wait_for(1);
            // One call executes and two are queued; neither delays reads.
            for number in 0..10 {
                let quick = receive(send(address, &request("quick", &json!([number]))));
                assert_eq!(quick["result"], number);
            }
            write!(local, "{}", request("quick", &json!([7]))).unwrap();
            let reading = local.try_clone().unwrap();
            let mut answers = serde_json::Deserializer::from_reader(reading).into_iter::<Value>();
            assert_eq!(answers.next().unwrap().unwrap()["result"], 7);
            asked.open();
            assert_eq!(receive(slow)["result"], "done");
            let both = receive(batch);
            assert_eq!((&both[0]["result"], &both[1]["result"]), (&json!("done"), &json!(1)));
            assert_eq!(answers.next().unwrap().unwrap()["result"], "done");
        });
        asking.await.unwrap();
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_pool_rejects_immediately_and_recovers() {
    let (gate, server, _folder) = started(false).await;
    let address = server.addresses()[0];
    let asked = Arc::clone(&gate);
    let asking = tokio::task::spawn_blocking(move || {
        let mut begun = vec![send(address, &request("slow", &json!([])))];
        asked.wait_for(1);
        // One address may use three quarters of the queue: three requests wait, and the other four
        // are rejected.
        begun.extend((0..7).map(|_| send(address, &request("slow", &json!([])))));
        let mut refused = Vec::new();
        for stream in &begun {
            stream.set_nonblocking(true).unwrap();
        }
        while refused.len() < 4 {
            begun.retain(|stream| {
                let is_refused = stream.peek(&mut [0]).is_ok();
                if is_refused {
                    refused.push(stream.try_clone().unwrap());
                }
                !is_refused
            });
        }
        for stream in refused {
            stream.set_nonblocking(false).unwrap();
            let answer = receive(stream);
            assert_eq!(answer["error"]["code"], codes::BUSY, "{answer}");
        }
        asked.open();
        for stream in begun {
            stream.set_nonblocking(false).unwrap();
            let answer = receive(stream);
            assert_eq!(answer["result"], "done", "{answer}");
        }
        let answer = receive(send(address, &request("slow", &json!([]))));
        assert_eq!(answer["result"], "done", "{answer}");
    });
    asking.await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_request_is_not_executed() {
    let (gate, methods) = methods(false);
    let Some(MethodCallback::Async(slow)) = methods.method("slow") else { panic!("no method") };
    let call = |connection: usize| {
        slow(Id::Null, Params::new(None), connection.into(), 1_000, Default::default())
    };
    let (first, gone, patient) = (call(1), call(2), call(3));
    // The first one is executing, and the others are queued after it.
    gate.wait_for(1);
    drop(gone);
    gate.open();
    assert!(first.await.is_success() && patient.await.is_success());
    assert_eq!(gate.waiting.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panicking_method_returns_internal_error() {
    let (gate, server, _folder) = started(true).await;
    gate.open();
    let address = server.addresses()[0];
    let asking = tokio::task::spawn_blocking(move || {
        let answer = receive(send(address, &request("broken", &json!([]))));
        assert_eq!(answer["error"]["code"], codes::INTERNAL);
        assert_eq!(receive(send(address, &request("slow", &json!([]))))["result"], "done");
    });
    asking.await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn sends_run_inline_unless_they_may_block() {
    for (inline_sends, busy, stays) in
        [(true, false, true), (false, false, false), (true, true, false)]
    {
        let gate = Arc::new(Gate { busy, ..Gate::default() });
        let options = WorkerOptions { inline_sends, ..WorkerOptions::default() };
        let mut methods = Registry::new(gate, Arc::new(Workers::new(&options)), ErrorStyle::Plain);
        methods.send("where", |_, _| Ok(std::thread::current().name().map(str::to_owned)));
        let request = request("where", &json!([])).to_string();
        let answer = methods.into_methods().raw_json_request(&request, 1).await.unwrap().0;
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let name = answer["result"].as_str().unwrap_or_default();
        assert_eq!(!name.starts_with("rpc-write"), stays, "{inline_sends}, {busy}: {answer}");
    }
}
