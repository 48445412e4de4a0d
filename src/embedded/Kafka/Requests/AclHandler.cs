using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeAcls, CreateAcls, DeleteAcls: refused, as by a broker without an authorizer.</summary>
internal static class AclHandler
{
    private const string NoAuthorizer = "No Authorizer is configured.";

    public static DescribeAclsResponse DescribeAcls() =>
        new() { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer };

    public static CreateAclsResponse CreateAcls(CreateAclsRequest request) => new()
    {
        Results = request.Creations.ConvertAll(_ =>
            new CreateAclsResponse.Result { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer }),
    };

    public static DeleteAclsResponse DeleteAcls(DeleteAclsRequest request) => new()
    {
        FilterResults = request.Filters.ConvertAll(_ =>
            new DeleteAclsResponse.FilterResult { ErrorCode = (short)ErrorCode.SecurityDisabled, ErrorMessage = NoAuthorizer }),
    };
}
