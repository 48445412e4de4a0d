using System.Net.Sockets;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Subscriptions;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>
/// What a command that failed says, and its exit code: a message alone where its user or a server is the cause, all that is known where the
/// program is.
/// </summary>
internal static class Failure
{
    public static (int ExitCode, string Message) Of(Exception failure) => failure switch
    {
        AggregateException { InnerExceptions: [var one] } => Of(one),
        InvalidInputException wrong => (ExitCodes.WrongUsage, OptionFlags.InCommandLine(wrong).Message),
        CommandFailedException or ReadModelsStoppedException or SchemaRefusedException or DuplicateNodeException or LogRefusedException
            or HandlerActivationException => (ExitCodes.Failed, failure.Message),
        IOException when IsOutOfDescriptors(failure) =>
            (ExitCodes.Failed,
                $"{failure.Message} This process has no file descriptor left: raise its limit (ulimit -n, or LimitNOFILE= of a systemd "
                    + $"unit)."),
        IOException or UnauthorizedAccessException or TimeoutException or SocketException or DllNotFoundException =>
            (ExitCodes.Failed, failure.Message),
        KafkaException kafka =>
            (ExitCodes.Failed,
                $"Kafka fails: {kafka.Error.Reason} ({kafka.Error.Code}). --kafka and --kafka-setting say how it is reached."),
        SchemaRegistryException registry =>
            (ExitCodes.Failed,
                $"The Schema Registry refuses it: {registry.Message}. --registry and --registry-setting say how it is reached."),
        HttpRequestException registry =>
            (ExitCodes.Failed,
                $"The Schema Registry does not answer: {registry.Message}. Name another one with --registry, or see that it runs."),
        MongoException mongo => (ExitCodes.Failed, $"MongoDB fails: {mongo.Message} --mongodb says how it is reached."),
        _ => (ExitCodes.Failed, $"This should not have happened: {failure}"),
    };

    private static bool IsOutOfDescriptors(Exception failure)
    {
        const int tooManyOpenFiles = 24; // EMFILE
        // RocksDB's and the socket layer's have no code
        return failure.HResult == tooManyOpenFiles || failure.Message.Contains("Too many open files", StringComparison.Ordinal);
    }
}
