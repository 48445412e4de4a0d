using System.Reflection;
using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>
/// Has some of the commits of a run fail with <paramref name="code"/>: one for which Streamiz ends, after the transaction was aborted; or
/// one that says that the producer was fenced, after which Streamiz aborts it and goes on.
/// </summary>
internal sealed class CommitFaults(ErrorCode code, params int[] failing)
{
    private readonly TaskCompletionSource[] _reached = [.. Enumerable.Range(0, failing.Max() + 1).Select(_ =>
        new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];

    private int _commits;

    /// <summary>Completes when all of them have failed. What is appended then is processed by whoever goes on.</summary>
    public Task Done => Reached(failing.Max());

    /// <summary>Completes with a commit, whether it fails or not.</summary>
    public Task Reached(int number) => _reached[number].Task;

    public StreamClients Clients(StreamClientSettings settings) => new FaultyClients(this, settings);

    private void BeforeCommit(IProducer<byte[], byte[]> producer)
    {
        int number = Interlocked.Increment(ref _commits);
        if (number < _reached.Length)
            _reached[number].TrySetResult();
        if (!failing.Contains(number))
            return;
        if (code == ErrorCode.Local_Fail)
            producer.AbortTransaction(TimeSpan.FromSeconds(30));
        throw new KafkaException(new Error(code, "The commit was made to fail."));
    }

    private sealed class FaultyClients(CommitFaults faults, StreamClientSettings settings) : StreamClients(settings)
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
