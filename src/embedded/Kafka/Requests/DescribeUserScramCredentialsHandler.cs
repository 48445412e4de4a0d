using KafkaEventSourcing.Embedded.Kafka.Network;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeUserScramCredentials: who can log in by SCRAM.</summary>
internal sealed class DescribeUserScramCredentialsHandler(Broker broker)
{
    public DescribeUserScramCredentialsResponse Handle(DescribeUserScramCredentialsRequest request)
    {
        string[] users = request.Users is { Count: > 0 } named ? [.. named.Select(u => u.Name)] : [.. broker.Scram.Users];
        return new DescribeUserScramCredentialsResponse
        {
            Results = [.. users.Distinct().Select(user =>
            {
                bool repeated = users.Count(u => u == user) > 1;
                IReadOnlyList<ScramCredential> credentials = broker.Scram.Of(user);
                (ErrorCode error, string? message) = repeated ? (ErrorCode.DuplicateResource,
                    $"Cannot describe SCRAM credentials for the same user twice in a single request: {user}")
                    : credentials.Count == 0
                    ? (ErrorCode.ResourceNotFound, $"Attempt to describe a user credential that does not exist: {user}")
                    : (ErrorCode.None, (string?)null);
                return new DescribeUserScramCredentialsResponse.Result
                {
                    User = user,
                    ErrorCode = (short)error,
                    ErrorMessage = message,
                    CredentialInfos = error != ErrorCode.None
                        ? []
                        : [.. credentials.Select(c =>
                            new DescribeUserScramCredentialsResponse.Result.CredentialInfo
                            {
                                Mechanism = (sbyte)c.Mechanism, Iterations = c.Iterations,
                            })],
                };
            })],
        };
    }
}
