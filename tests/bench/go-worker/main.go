// What one would write instead of accountd: a worker with batches, pipelines and Kafka transactions, for the benchmark.
// It answers as accountd does, with a minimum of validation, and reads what the answer depends on. There is no
// atomicity between Redis and Kafka, nothing is compared when it writes, and no changelog from which a Redis that lost
// its memory could be restored: a crash applies a batch twice or leaves its accounts half written.
//
//	go-worker BROKERS GROUP COMMANDS REPLIES REDIS_PORT THREADS
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

const batchMax = 2000

type entry struct {
	Account string         `json:"account"`
	Profile map[string]any `json:"profile"`
}

type command struct {
	Op       string         `json:"op"`
	App      string         `json:"app"`
	Account  string         `json:"account"`
	Profile  map[string]any `json:"profile"`
	Accounts []entry        `json:"accounts"`
}

type result struct {
	Account  string `json:"account,omitempty"`
	Status   string `json:"status"`
	Error    string `json:"error,omitempty"`
	Revision int64  `json:"revision,omitempty"`
	Changed  bool   `json:"changed,omitempty"`
}

type source struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

type reply struct {
	V   int    `json:"v"`
	ID  string `json:"id"`
	Op  string `json:"op"`
	App string `json:"app"`
	result
	Results []result `json:"results,omitempty"`
	At      string   `json:"at"`
	Source  source   `json:"source"`
}

// One command of a batch, and the accounts it is about.
type job struct {
	record  *kgo.Record
	command command
	entries []entry
	results []result
}

type worker struct {
	session *kgo.GroupTransactSession
	redis   *redis.Client
	replies string
}

func key(app, account string) string { return "acct:{" + app + "}:" + account }

func decode(records []*kgo.Record) []*job {
	jobs := make([]*job, len(records))
	for i, record := range records {
		job := &job{record: record}
		if err := json.Unmarshal(record.Value, &job.command); err != nil || job.command.App == "" {
			job.results = []result{{Status: "error", Error: "malformed"}}
		} else if job.command.Account != "" {
			job.entries = []entry{{job.command.Account, job.command.Profile}}
		} else {
			job.entries = job.command.Accounts
		}
		jobs[i] = job
	}
	return jobs
}

// The revisions that the accounts have, in one round trip; 0 for those that do not exist.
func (w *worker) revisions(ctx context.Context, jobs []*job) (map[string]int64, error) {
	pipe := w.redis.Pipeline()
	asked := map[string]*redis.StringCmd{}
	for _, job := range jobs {
		for _, entry := range job.entries {
			key := key(job.command.App, entry.Account)
			if asked[key] == nil {
				asked[key] = pipe.HGet(ctx, key, "rev")
			}
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return nil, err
	}
	revisions := make(map[string]int64, len(asked))
	for key, answer := range asked {
		revisions[key], _ = strconv.ParseInt(answer.Val(), 10, 64)
	}
	return revisions, nil
}

func apply(ctx context.Context, pipe redis.Pipeliner, job *job, entry entry, revisions map[string]int64) result {
	key := key(job.command.App, entry.Account)
	now := job.record.Timestamp.UnixMilli()
	revision := revisions[key]
	if job.command.Op == "create" && revision > 0 {
		return result{Account: entry.Account, Status: "error", Error: "account_exists"}
	}
	if job.command.Op == "edit" && revision == 0 {
		return result{Account: entry.Account, Status: "error", Error: "account_not_found"}
	}
	revisions[key] = revision + 1
	fields := []any{"rev", revision + 1, "updated_at", now}
	if job.command.Op == "create" {
		fields = append(fields, "type", "general", "created_at", now)
		pipe.ZAdd(ctx, "accounts:{"+job.command.App+"}", redis.Z{Score: float64(now), Member: entry.Account})
	}
	for name, value := range entry.Profile {
		fields = append(fields, name, value)
	}
	pipe.HSet(ctx, key, fields...)
	return result{Account: entry.Account, Status: "ok", Revision: revision + 1, Changed: true}
}

func (w *worker) reply(job *job) *kgo.Record {
	record := job.record
	answer := reply{V: 1, ID: fmt.Sprintf("%s:%d:%d", record.Topic, record.Partition, record.Offset),
		Op: job.command.Op, App: job.command.App, At: record.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"),
		Source: source{record.Topic, record.Partition, record.Offset}}
	if len(job.results) == 1 {
		answer.result = job.results[0]
	} else {
		answer.Status, answer.Results = "ok", job.results
	}
	value, err := json.Marshal(answer)
	if err != nil {
		log.Fatal(err)
	}
	headers := append([]kgo.RecordHeader{}, record.Headers...)
	headers = append(headers, kgo.RecordHeader{Key: "content-type", Value: []byte("application/json")},
		kgo.RecordHeader{Key: "accountd-status", Value: []byte(answer.Status)})
	return &kgo.Record{Topic: w.replies, Partition: record.Partition, Key: record.Key, Value: value, Headers: headers}
}

func (w *worker) batch(ctx context.Context, records []*kgo.Record) error {
	jobs := decode(records)
	revisions, err := w.revisions(ctx, jobs)
	if err != nil {
		return err
	}
	pipe := w.redis.Pipeline()
	for _, job := range jobs {
		for _, entry := range job.entries {
			job.results = append(job.results, apply(ctx, pipe, job, entry, revisions))
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	if err := w.session.Begin(); err != nil {
		return err
	}
	for _, job := range jobs {
		w.session.Produce(ctx, w.reply(job), func(_ *kgo.Record, err error) {
			if err != nil {
				log.Print("produce: ", err)
			}
		})
	}
	_, err = w.session.End(ctx, kgo.TryCommit)
	return err
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := w.session.PollRecords(ctx, batchMax)
		if records := fetches.Records(); len(records) > 0 {
			if err := w.batch(context.Background(), records); err != nil {
				log.Fatal(err)
			}
		}
	}
	w.session.Close()
}

func start(number int) *worker {
	args := os.Args
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(args[1]), kgo.ConsumerGroup(args[2]),
		kgo.ConsumeTopics(args[3]), kgo.TransactionalID(fmt.Sprintf("%s-%d-%d", args[2], os.Getpid(), number)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		log.Fatal(err)
	}
	return &worker{session, redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + args[5], ReadTimeout: time.Minute}), args[4]}
}

func main() {
	if len(os.Args) != 7 {
		log.Fatal("usage: go-worker BROKERS GROUP COMMANDS REPLIES REDIS_PORT THREADS")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	threads, _ := strconv.Atoi(os.Args[6])
	var all sync.WaitGroup
	for i := 0; i < threads; i++ {
		worker := start(i)
		all.Add(1)
		go func() {
			defer all.Done()
			worker.run(ctx)
		}()
	}
	all.Wait()
}
