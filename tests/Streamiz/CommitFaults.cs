using System.Reflection;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>
/// Has some of the commits of a run fail with <paramref name="code"/>: one for which Streamiz ends, after the transaction was aborted; or
/// one that says that the producer was fenced, after which Streamiz aborts it and goes on.
/// </summary>
internal sealed class CommitFaults(ErrorCode code, params int[] failing)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _commits;

    /// <summary>Completes when all of them have failed.</summary>
    public Task Done => _done.Task;

    public StreamClients Clients(KafkaConnection connection, string instance, StreamAssignment assignment, ILogger logger) =>
        new FaultyClients(this, connection, instance, assignment, logger);

    private void BeforeCommit(IProducer<byte[], byte[]> producer)
    {
        int number = Interlocked.Increment(ref _commits);
        if (!failing.Contains(number))
            return;
        if (code == ErrorCode.Local_Fail)
            producer.AbortTransaction(TimeSpan.FromSeconds(30));
        if (number == failing.Max())
            _done.TrySetResult();
        throw new KafkaException(new Error(code, "The commit was made to fail."));
    }

    private sealed class FaultyClients(CommitFaults faults, KafkaConnection connection, string instance, StreamAssignment assignment,
        ILogger logger) : StreamClients(connection, instance, assignment, logger)
    {
        public override IProducer<byte[], byte[]> GetProducer(ProducerConfig config)
        {
            IProducer<byte[], byte[]> producer = DispatchProxy.Create<IProducer<byte[], byte[]>, FaultyProducer>();
            ((FaultyProducer)producer).Faults = faults;
            ((FaultyProducer)producer).Inner = base.GetProducer(config);
            return producer;
        }
    }

#pragma warning disable CA1852 // the runtime derives from it
    internal class FaultyProducer : DispatchProxy
    {
        internal CommitFaults Faults { get; set; } = null!;

        internal IProducer<byte[], byte[]> Inner { get; set; } = null!;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name == nameof(IProducer<,>.CommitTransaction))
                Faults.BeforeCommit(Inner);
            try
            {
                return targetMethod.Invoke(Inner, args);
            }
            catch (TargetInvocationException failed)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failed.InnerException!);
                throw;
            }
        }
    }
}
