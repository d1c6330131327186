// A client of accountd in Go: asks and waits for the replies, and fetches the file of an export.
//
//	client BROKERS TOPICS APP FILE
//
// TOPICS is what the topics' names begin with: "account" for account.commands, account.replies and account.exports.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const timeout = 20 * time.Second

type command map[string]any

type manifest struct {
	Source   string `json:"source"`
	Attempt  int    `json:"attempt"`
	Chunks   int    `json:"chunks"`
	SHA256   string `json:"sha256"`
	Accounts int    `json:"accounts"`
}

type reply struct {
	Status   string   `json:"status"`
	Revision int64    `json:"revision"`
	Error    *refused `json:"error"`
	Rows     []struct {
		Account string `json:"account"`
	} `json:"rows"`
	Export manifest `json:"export"`
}

// refused is what accountd says of a command that it does not carry out.
type refused struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *refused) Error() string { return r.Code + ": " + r.Message }

type accounts struct {
	brokers []string
	topics  string
	// franz-go puts a key where Kafka's own clients do, and is idempotent, unless it is told otherwise.
	producer *kgo.Client
	replies  *kgo.Client
}

func open(ctx context.Context, brokers, topics string) (*accounts, error) {
	var err error
	a := &accounts{brokers: strings.Split(brokers, ","), topics: topics}
	if a.producer, err = kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.ProducerLinger(0)); err != nil {
		return nil, err
	}
	if a.replies, err = a.atEnd(ctx, topics+".replies"); err != nil {
		a.producer.Close()
		return nil, err
	}
	return a, nil
}

func (a *accounts) close() {
	a.replies.Close()
	a.producer.Close()
}

// atEnd makes a consumer of all partitions that sees what comes from now on. It reads what is committed: others may
// take the reply of an aborted transaction for the answer.
func (a *accounts) atEnd(ctx context.Context, topic string) (*kgo.Client, error) {
	ends, err := kadm.NewClient(a.producer).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	offsets := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) { offsets[end.Partition] = kgo.NewOffset().At(end.Offset) })
	return kgo.NewClient(kgo.SeedBrokers(a.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
}

// read hands over what comes until take returns true.
func read(ctx context.Context, client *kgo.Client, take func(*kgo.Record) (bool, error)) error {
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			if done, err := take(record); done || err != nil {
				return err
			}
		}
	}
}

func header(record *kgo.Record, name string) string {
	for _, header := range record.Headers {
		if header.Key == name {
			return string(header.Value)
		}
	}
	return ""
}

// ask sends a command and returns its reply. A command that is not carried out is an error of type *refused.
func (a *accounts) ask(ctx context.Context, c command) (*reply, error) {
	correlation := make([]byte, 16)
	rand.Read(correlation)
	value, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sent := &kgo.Record{Topic: a.topics + ".commands", Value: value,
		Headers: []kgo.RecordHeader{{Key: "kafka_correlationId", Value: correlation}}}
	if account, ok := c["account"].(string); ok {
		sent.Key = []byte(account)
	}
	if err := a.producer.ProduceSync(ctx, sent).FirstErr(); err != nil {
		return nil, err
	}
	var got reply
	err = read(ctx, a.replies, func(record *kgo.Record) (bool, error) {
		if header(record, "kafka_correlationId") != string(correlation) {
			return false, nil
		}
		return true, json.Unmarshal(record.Value, &got)
	})
	if err == nil && got.Status == "error" {
		err = got.Error
	}
	return &got, err
}

// export returns the manifest and the bytes of the file, whole and checked.
func (a *accounts) export(ctx context.Context, c command) (manifest, []byte, error) {
	client, err := a.atEnd(ctx, a.topics+".exports")
	if err != nil {
		return manifest{}, nil, err
	}
	defer client.Close()
	answer, err := a.ask(ctx, c)
	if err != nil {
		return manifest{}, nil, err
	}
	wanted := answer.Export
	chunks := make([][]byte, wanted.Chunks)
	missing := len(chunks)
	err = read(ctx, client, func(record *kgo.Record) (bool, error) {
		// After a crash of accountd an export may come once more: the manifest names the attempt that counts.
		if header(record, "export-source") != wanted.Source || header(record, "export-manifest") != "" ||
			header(record, "export-attempt") != strconv.Itoa(wanted.Attempt) {
			return false, nil
		}
		sequence, err := strconv.Atoi(header(record, "export-seq"))
		if err != nil || sequence < 1 || sequence > len(chunks) || chunks[sequence-1] != nil {
			return false, fmt.Errorf("chunk %q of %d", header(record, "export-seq"), len(chunks))
		}
		if checksum(record.Value) != header(record, "export-sha256") {
			return false, fmt.Errorf("chunk %d is not as it was sent", sequence)
		}
		chunks[sequence-1] = record.Value
		missing--
		return missing == 0, nil
	})
	if err != nil {
		return wanted, nil, err
	}
	content := bytes.Join(chunks, nil)
	if checksum(content) != wanted.SHA256 {
		return wanted, nil, errors.New("the file is not as it was sent")
	}
	return wanted, content, nil
}

func checksum(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func show(brokers, topics, app, file string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a, err := open(ctx, brokers, topics)
	if err != nil {
		return err
	}
	defer a.close()

	created, err := a.ask(ctx, command{"op": "create", "app": app, "account": "alice",
		"profile": command{"nickname": "Alice", "level": 3}})
	if err != nil {
		return err
	}
	fmt.Println("created alice, revision", created.Revision)

	edited, err := a.ask(ctx, command{"op": "edit", "app": app, "account": "alice", "if_revision": 1,
		"profile": command{"level": 4, "nickname": nil}})
	if err != nil {
		return err
	}
	fmt.Println("edited alice, revision", edited.Revision)

	var no *refused
	_, err = a.ask(ctx, command{"op": "edit", "app": app, "account": "nobody", "profile": command{"level": 4}})
	if !errors.As(err, &no) {
		return fmt.Errorf("an edit of nobody: %v", err)
	}
	fmt.Println("refused,", no.Code)

	listed, err := a.ask(ctx, command{"op": "list", "app": app})
	if err != nil {
		return err
	}
	var names []string
	for _, row := range listed.Rows {
		names = append(names, row.Account)
	}
	of, content, err := a.export(ctx, command{"op": "export", "app": app, "accounts": names, "format": "ndjson"})
	if err != nil {
		return err
	}
	fmt.Printf("exported %d accounts in %d chunks\n", of.Accounts, of.Chunks)
	return os.WriteFile(file, content, 0o644)
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: client BROKERS TOPICS APP FILE")
		os.Exit(2)
	}
	if err := show(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
